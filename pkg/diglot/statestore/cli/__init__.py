"""The state store's commands."""
