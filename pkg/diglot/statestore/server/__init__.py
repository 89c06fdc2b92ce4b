"""The state store as a service over HTTP."""
