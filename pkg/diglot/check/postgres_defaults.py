"""Defaults of PostgreSQL that write a timestamp which can't be read: ``infinity``, and years beyond 9999."""

from __future__ import annotations

from datetime import datetime

from diglot.check.catalog import Catalog
from diglot.check.finding import Finding
from diglot.check.places import place_of_column
from diglot.check.sources import source_files
from diglot.check.touched import touched
from diglot.errors import DiglotError
from diglot.project import Project
from diglot.schema.model import Column
from diglot.schema.read import read_schema
from diglot.sql.session import Statement
from diglot.stores.store import Store

CHECK = "prepare"


def check_postgres_defaults(project: Project, postgres: Store, catalog: Catalog) -> list[Finding]:
    """One finding for each column that a query uses as a timestamp; the defaults are evaluated by the server."""
    columns = {
        (table.name, column.name): column
        for table in read_schema(postgres).tables
        for column in table.columns
        if column.default is not None
    }
    found: dict[tuple[str, str], Finding] = {}
    for file in source_files(project, "postgres"):
        for query in file.queries:
            for use in touched(query, "postgres", catalog, project.row_models()):
                key = use.table, use.column
                column = columns.get(key)
                if use.type != "timestamp" or column is None or key in found or _is_readable(postgres, column):
                    continue
                message = (
                    f"its default {column.default} writes what {query.full_name} can't read: write a timestamp of the "
                    "years 1 to 9999"
                )
                path, line = place_of_column(project, "postgres", *key) or (file.shown, query.line)
                found[key] = Finding(CHECK, path, line, 1, f"{use.table}.{use.column}", message)
    return list(found.values())


def _is_readable(postgres: Store, column: Column) -> bool:
    text = f"select {column.default} as value"
    try:
        ((value,),) = postgres.rows(Statement("check.default", text))
    except DiglotError:
        return False
    return value is None or isinstance(value, datetime)
