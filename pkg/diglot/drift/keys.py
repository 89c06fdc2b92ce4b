"""Compares the primary key, foreign keys, unique constraints and indexes of a table."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence

from diglot.drift import texts
from diglot.drift.difference import Difference, DifferenceKind, differs
from diglot.drift.expressions import columns_of, condition, form
from diglot.drift.matching import N, by_meaning
from diglot.drift.operands import BINARY_COLLATIONS
from diglot.drift.table_pair import TablePair
from diglot.schema.model import ForeignKey, Index, Key


def compare_keys(pair: TablePair) -> Iterator[Difference]:
    """The primary key, then the foreign keys, then the indexes."""
    yield from _primary_keys(pair)
    yield from _foreign_keys(pair)
    yield from _indexes(pair)


def report(
    pair: TablePair,
    things: tuple[Sequence[N], Sequence[N]],
    meaning: Callable[[N, int], Hashable],
    target: Callable[[N, int], Hashable],
    kind: Callable[[N], DifferenceKind],
    text: Callable[[N], str],
    columns: Callable[[N], set[str]],
) -> Iterator[Difference]:
    """What changed or is missing, and other names if names count; not what is missing because its column is."""
    matched = by_meaning(*things, meaning, target, pair.fold)
    for one, other in matched.changed:
        there = next(each for each in (one, other) if each is not None)
        if (one is None or other is None) and columns(there) & pair.missing:
            continue
        shown = [text(each) if each is not None else None for each in (one, other)]
        name = next((each.name for each in (one, other) if each is not None and each.name), None)
        kinds = {kind(each) for each in (one, other) if each is not None}
        of: DifferenceKind = "unique" if "unique" in kinds else kinds.pop()
        yield differs(of, pair.name, name or shown[0] or shown[1] or "", *shown)
    for one, other in matched.same:
        yield from renamed(pair, kind(one), one.name, other.name)


def renamed(pair: TablePair, kind: DifferenceKind, one: str | None, other: str | None) -> Iterator[Difference]:
    """A different name, if names count and both sides give one."""
    if pair.comparison.names and one and other and pair.fold(one) != pair.fold(other):
        yield Difference(kind, pair.name, one, one, other, f"its name is {one} on the left, {other} on the right")


def _primary_keys(pair: TablePair) -> Iterator[Difference]:
    one, other = (table.primary_key for table in pair.tables)
    meanings = [(tuple(map(pair.fold, key.columns)), key.deferrable) if key else None for key in (one, other)]
    if meanings[0] != meanings[1]:
        there = [key for key in (one, other) if key is not None]
        name = next((key.name for key in there if key.name), ", ".join(there[0].columns))
        yield differs("primary-key", pair.name, name, texts.primary_key(one), texts.primary_key(other))
    elif one and other:
        yield from renamed(pair, "primary-key", one.name, other.name)


def _foreign_keys(pair: TablePair) -> Iterator[Difference]:
    def columns(key: ForeignKey) -> list[tuple[str, str]]:
        references = [*map(pair.fold, key.references), *("",) * len(key.columns)]
        return sorted(zip(map(pair.fold, key.columns), references, strict=False))

    def meaning(key: ForeignKey, _: int) -> Hashable:
        match = key.match if len(key.columns) > 1 else "simple"
        how = key.on_delete, key.on_update, match, key.deferrable, key.validated
        return (*columns(key), pair.fold(key.table), how)

    def target(key: ForeignKey, _: int) -> Hashable:
        return tuple(sorted(map(pair.fold, key.columns)))

    things = pair.tables[0].foreign_keys, pair.tables[1].foreign_keys
    yield from report(
        pair, things, meaning, target, lambda _: "foreign-key", texts.foreign_key, lambda key: _lower(key.columns)
    )


def _indexes(pair: TablePair) -> Iterator[Difference]:
    def meaning(index: Index, side: int) -> Hashable:
        scope = pair.scopes[side]
        names = [key.column.lower() for key in index.keys if key.column is not None]
        # If no column can be NULL, it does not matter whether NULLs are distinct.
        never_null = len(names) == len(index.keys) and all(name in scope.not_null for name in names)
        return (
            index.unique,
            tuple(_key(pair, key, side) for key in index.keys),
            tuple(sorted(map(pair.fold, index.include))),
            condition(index.predicate, scope) if index.predicate is not None else None,
            index.method,
            index.nulls_distinct or never_null or not index.unique,
            index.deferrable,
            index.valid,
        )

    def target(index: Index, side: int) -> Hashable:
        return index.unique, index.method, tuple(_key(pair, key, side)[0] for key in index.keys)

    def columns(index: Index) -> set[str]:
        found = _lower(tuple(key.column for key in index.keys if key.column is not None) + index.include)
        side = 0 if index in pair.tables[0].indexes else 1
        for text in (*(key.expression for key in index.keys), index.predicate):
            if text is not None:
                found |= columns_of(condition(text, pair.scopes[side]))
        return found

    things = pair.tables[0].indexes, pair.tables[1].indexes
    yield from report(
        pair, things, meaning, target, lambda index: "unique" if index.unique else "index", texts.index, columns
    )


def _key(pair: TablePair, key: Key, side: int) -> tuple[Hashable, ...]:
    """The default order of NULLs depends on the engine, so it counts only between two databases of one engine."""
    mixed = pair.comparison.mixed
    what: Hashable = ("column", key.column.lower()) if key.column is not None else None
    if what is None:
        what = form(key.expression or "", pair.scopes[side])
    collation = key.collation.lower()
    if collation in BINARY_COLLATIONS or (mixed and collation == "default"):
        collation = "" if mixed else "c"
    nulls = None if mixed else key.nulls_first
    return what, key.descending, collation, nulls, key.operator_class, key.excludes_with


def _lower(names: Sequence[str]) -> set[str]:
    return {name.lower() for name in names}
