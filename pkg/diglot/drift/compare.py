"""Two schemas, and where they differ.

Everything is compared by its meaning. Names of constraints and indexes only tell a changed one from one that
is missing next to one that is new, unless ``names`` requires equal names. The order of columns does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator

from diglot.drift.access import compare_access, compare_comments
from diglot.drift.checks import compare_checks
from diglot.drift.columns import compare_columns
from diglot.drift.difference import Difference, differs, in_order
from diglot.drift.keys import compare_keys
from diglot.drift.matching import by_name
from diglot.drift.notes import Note, notes_of
from diglot.drift.table_pair import Comparison, TablePair
from diglot.drift.triggers import compare_triggers
from diglot.drift.types import EQUIVALENCES, Equivalence
from diglot.drift.views import compare_views
from diglot.schema.model import Schema, Table


def compare(
    left: Schema, right: Schema, equivalences: tuple[Equivalence, ...] = EQUIVALENCES, names: bool = False
) -> list[Difference]:
    """Every difference, in a stable order."""
    comparison = Comparison.of(left, right, equivalences, names)
    found: list[Difference] = []
    found.extend(compare_views(comparison, left.views, right.views))
    for one, other in _tables(comparison, left, right):
        if one is not None and other is not None:
            found.extend(_compare_tables(TablePair(comparison, one, other)))
        else:
            shown = [table.name if table is not None else None for table in (one, other)]
            name = shown[0] or shown[1] or ""
            found.append(differs("table", name, name, *shown))
    return in_order(found)


def notes(left: Schema, right: Schema, equivalences: tuple[Equivalence, ...] = EQUIVALENCES) -> list[Note]:
    """What SQLite does not enforce, and what is not known, if the two are of different engines."""
    comparison = Comparison.of(left, right, equivalences, names=False)
    if not comparison.mixed:
        return []
    pairs = [
        TablePair(comparison, one, other)
        for one, other in _tables(comparison, left, right)
        if one is not None and other is not None and "virtual" not in (*one.options, *other.options)
    ]
    views = by_name([view.name for view in left.views], [view.name for view in right.views], comparison.same_name)
    return notes_of(pairs, [one for one, other in views if one is not None and other is not None])


def _tables(comparison: Comparison, left: Schema, right: Schema) -> Iterator[tuple[Table | None, Table | None]]:
    tables = [{table.name: table for table in side.tables} for side in (left, right)]
    for one, other in by_name(tables[0], tables[1], comparison.same_name):
        yield tables[0].get(one or ""), tables[1].get(other or "")


def _compare_tables(pair: TablePair) -> Iterator[Difference]:
    if len({"virtual" in table.options for table in pair.tables}) > 1:
        yield from _options(pair)  # the other differences follow from that
        return
    yield from compare_columns(pair)
    yield from compare_keys(pair)
    yield from compare_checks(pair)
    yield from compare_triggers(pair.comparison, pair.name, pair.tables[0].triggers, pair.tables[1].triggers)
    if pair.comparison.dialects == ("postgres", "postgres"):
        yield from compare_access(pair)
        yield from compare_comments(pair)
    yield from _options(pair)


def _options(pair: TablePair) -> Iterator[Difference]:
    """Options of one engine count between two databases of that engine, except WITHOUT ROWID, which is only storage."""
    found = []
    for table in pair.tables:
        counted = [option for option in table.options if option != "without rowid"]
        if pair.comparison.mixed:
            counted = [option for option in counted if option == "virtual"]
        found.append(", ".join(counted) or None)
    if found[0] != found[1]:
        yield differs("table", pair.name, pair.name, *found)
