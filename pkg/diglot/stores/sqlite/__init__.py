"""SQLite: many processes and threads on one file, one writer at a time, nothing lost."""
