"""The application whose two SQL trees are checked."""
