"""Which rows of one database another would refuse: each is tried on the other engine, in temporary tables.

Nothing in the target is written or locked: on PostgreSQL the rows go into temporary tables like its own, on SQLite into
a temporary database with the same tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

import msgspec

from diglot.ops.content import TableFields, convert, converters, key_of, read_rows, values_of
from diglot.ops.progress import Report, Step
from diglot.ops.statements import statement
from diglot.sql.session import Row, Session
from diglot.stores.store import Store

if TYPE_CHECKING:
    from diglot.ops.pairs import Pair


class Misfit(msgspec.Struct, frozen=True):
    """A row that the other side would refuse. ``row`` is its primary key."""

    table: str
    row: str
    reason: str


class Trial(Protocol):
    """Empty tables like those of the target, on its engine."""

    def refused(self, table: TableFields, rows: list[Row]) -> Iterator[tuple[int, str]]:
        """Try to store the rows, which are already converted; the position of each refused row, and the reason."""
        ...


def trial(store: Store, tables: Sequence[TableFields]) -> AbstractContextManager[Trial]:
    """Tables to try rows on."""
    begin = import_module(f"diglot.ops.{store.dialect}.trial").trial
    found: AbstractContextManager[Trial] = begin(store, tables)
    return found


def misfits(snapshot: Session, pairs: Sequence[Pair], target: Store, report: Report) -> Iterator[Misfit]:
    """Every row of the source that the target would refuse."""
    with trial(target, [pair.target for pair in pairs]) as found:
        for pair in pairs:
            yield from _of_table(snapshot, pair, found, report)
    for pair in pairs:
        yield from _orphans(snapshot, pair.source)


def _of_table(snapshot: Session, pair: Pair, trial: Trial, report: Report) -> Iterator[Misfit]:
    bad: list[Misfit] = []
    places = converters(pair.target, values_of(pair.target.dialect).loader)
    done = 0

    def unreadable(row: Row, reason: str) -> None:
        bad.append(Misfit(pair.source.name, key_of(pair.source, row), reason))

    for rows in read_rows(snapshot, pair.source, unreadable):
        stored = convert(rows, places, pair.target, unreadable)
        for place, reason in trial.refused(pair.target, stored):
            bad.append(Misfit(pair.source.name, key_of(pair.target, stored[place]), reason))
        yield from bad
        bad.clear()
        done += len(rows)
        report(Step(f"{pair.source.name}: trying", done, None))


def _orphans(snapshot: Session, table: TableFields) -> Iterator[Misfit]:
    """Rows whose foreign keys refer to missing rows: SQLite accepts them while foreign_keys is off."""
    if table.dialect != "sqlite":
        return
    for rowid, parent in snapshot.rows(statement("sqlite", "orphans"), (table.name,)):
        yield Misfit(table.name, f"rowid={rowid}", f"it refers to a missing row of {parent}")
