"""The schema of a database: one model of it, and one reader for each engine.

Whatever asks what tables, columns, keys, constraints or indexes a database has asks here: no other package reads
pg_catalog, sqlite_schema or the pragmas for it. ``read_schema`` reads a store or a URL into the structs of ``model``.
"""
