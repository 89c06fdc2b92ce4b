"""Sizes in a PostgreSQL schema."""

from __future__ import annotations

from diglot.ops.statements import statement
from diglot.ops.stats import Sizes
from diglot.schema.bookkeeping import is_bookkeeping
from diglot.stores.session import Store


def sizes(store: Store) -> Sizes:
    """Bytes of tables (with what is stored out of line) and indexes, and how often each index was used."""
    tables = [row for row in store.rows(statement("postgres", "table_sizes")) if not is_bookkeeping(row[0])]
    indexes = store.rows(statement("postgres", "index_sizes"))
    ((database, wal),) = store.rows(statement("postgres", "database_sizes"))
    figures = {
        "database_bytes": database,
        "wal_bytes": wal,
        "dead_rows": {name: dead for name, _, dead, _, _ in tables if dead},
        "last_vacuum": {name: vacuum for name, _, _, vacuum, _ in tables},
        "last_analyze": {name: analyze for name, _, _, _, analyze in tables},
    }
    return Sizes(
        {row[0]: row[1] for row in tables},
        {name: size for name, size, _ in indexes},
        {name: scans for name, _, scans in indexes},
        figures,
    )
