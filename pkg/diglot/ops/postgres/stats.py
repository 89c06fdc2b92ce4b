"""Sizes in a PostgreSQL schema."""

from __future__ import annotations

from diglot.ops.statements import statement
from diglot.ops.stats import Maintenance, Sizes
from diglot.schema.bookkeeping import is_bookkeeping
from diglot.stores.store import Store


def sizes(store: Store) -> Sizes:
    """The bytes of tables (including out-of-line storage) and indexes, and how often each index was used."""
    tables = [row for row in store.rows(statement("postgres", "table_sizes")) if not is_bookkeeping(row[0])]
    indexes = store.rows(statement("postgres", "index_sizes"))
    ((database, since),) = store.rows(statement("postgres", "database_sizes"))
    ((may_see_log,),) = store.rows(statement("postgres", "may_see_log"))
    log = store.rows(statement("postgres", "log_size"))[0][0] if may_see_log else None
    return Sizes(
        tables={row[0]: row[1] for row in tables},
        indexes={name: size for name, size, _ in indexes},
        scans={name: scans for name, _, scans in indexes},
        maintenance={name: Maintenance(dead, vacuum, analyze) for name, _, dead, vacuum, analyze, _ in tables},
        unreadable={row[0] for row in tables if not row[5]},
        figures={"database_bytes": database, "wal_bytes": log, "uses_counted_since": since},
    )
