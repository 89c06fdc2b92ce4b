"""PostgreSQL 15 and newer: a pool of connections, statements prepared once, one round trip each."""
