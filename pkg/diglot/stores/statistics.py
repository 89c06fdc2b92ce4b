"""The statistics of a store: each is declared here once, under its name in the metrics.

A new figure is declared here and returned by the store that measures it; ``/metrics`` needs no other change.
"""

from __future__ import annotations

from typing import NamedTuple


class Statistic(NamedTuple):
    """``by_driver``: it exists on both engines, so its metric has the label ``driver``."""

    help: str
    by_driver: bool = True


STATISTICS = {
    "database_connection_pool_max": Statistic("Connections that may be open."),
    "database_connection_pool_size": Statistic("Connections open."),
    "database_connection_pool_active": Statistic("Connections in use."),
    "database_connection_pool_waiting": Statistic("Threads that wait for a connection."),
    "database_connection_pool_wait_seconds_total": Statistic("Seconds that threads waited for a connection."),
    "database_connections_opened_total": Statistic("Connections that were opened."),
    "database_connections_lost_total": Statistic("Connections that were lost."),
    "database_statements_repeated_total": Statistic("Statements that were sent again after a lost connection."),
    "database_sqlite_file_size_bytes": Statistic("The database file.", by_driver=False),
    "database_sqlite_wal_size_bytes": Statistic("The write-ahead log.", by_driver=False),
    "database_sqlite_page_count": Statistic("Pages of the database.", by_driver=False),
    "database_sqlite_free_pages": Statistic("Pages of the database that hold nothing.", by_driver=False),
    "database_sqlite_processes_waiting": Statistic("Processes that wait to write.", by_driver=False),
    "sqlite_wal_reset_safe": Statistic("1 unless this SQLite can damage a file (before 3.51.3).", by_driver=False),
}
"""By name. A name that ends in ``_total`` is a counter, any other a gauge."""
