"""One module per resource, and what their requests and responses have in common."""
