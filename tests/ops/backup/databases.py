"""What a test of backups asks of a database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from diglot.ops.content import all_fields, read_content
from diglot.schema.read import read_within
from diglot.sql.session import Statement
from diglot.stores import open_store
from diglot.stores.url import parse_url

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
COUNT = "select count(*) from players"


def contents(url: str) -> Any:
    with open_store(parse_url(url)) as store, store.snapshot() as snapshot:
        return read_content(snapshot, all_fields(read_within(snapshot, store.location)))


def change(url: str) -> None:
    with open_store(parse_url(url)) as store, store.transaction() as tx:
        tx.count(Statement("test.change", "delete from values_of_all_types where words = 'two'", writes=True))


def server_of(url: str) -> str | None:
    return None if url.startswith("sqlite") else url
