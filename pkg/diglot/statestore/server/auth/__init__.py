"""Who sends a request: API keys, failed attempts, and when keys were last used."""
