"""Who sends a request: API keys, failed attempts, and the last use of keys."""
