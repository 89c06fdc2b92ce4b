"""One module for each resource, and what their requests and answers have in common."""
