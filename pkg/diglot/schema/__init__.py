"""The schema of a database: one model of it, and one reader for each engine.

This is the only package that reads tables, columns, keys, constraints and indexes from pg_catalog, sqlite_schema and
the pragmas. ``read_schema`` reads a store or a URL into the structs of ``model``.
"""
