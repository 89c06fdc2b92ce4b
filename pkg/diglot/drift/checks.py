"""Compares the CHECKs of a table fact by fact, and what the types of one side require of the other."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from diglot.drift import facts, texts
from diglot.drift.difference import Difference, differs
from diglot.drift.expressions import columns_of, condition
from diglot.drift.facts import Fact
from diglot.drift.keys import renamed, report
from diglot.drift.shapes import said_by_type
from diglot.drift.table_pair import TablePair
from diglot.schema.model import Check


def compare_checks(pair: TablePair) -> Iterator[Difference]:
    """Each CHECK with a fact that the other side lacks, and each fact that a type requires and no CHECK states."""
    sides = list(pair.facts[0]), list(pair.facts[1])
    if pair.comparison.mixed:
        _add_what_types_say(pair, sides)
    loose = _loose(sides[0], sides[1]), _loose(sides[1], sides[0])
    if pair.comparison.mixed:
        loose = _without_what_types_say(pair, sides, loose)
    for side in (0, 1):
        for fact in [fact for fact in loose[side] if fact.check is None]:
            instead = _said_instead(fact, loose[1 - side])
            yield _asked_in_vain(pair, fact, side, instead)
            loose[1 - side][:] = [each for each in loose[1 - side] if instead is None or each.check != instead]
    yield from _changed(pair, loose)
    if pair.comparison.names:
        yield from _other_names(pair)


def _loose(side: list[Fact], other: list[Fact]) -> list[Fact]:
    forms = {fact.form for fact in other}
    return [fact for fact in side if not facts.fulfils(forms, fact.form)]


def _changed(pair: TablePair, loose: tuple[list[Fact], list[Fact]]) -> Iterator[Difference]:
    """The CHECKs of these facts; one that is not validated differs from one that is."""
    found: list[list[Check]] = []
    for table, side in zip(pair.tables, loose, strict=True):
        found.append([table.checks[number] for number in sorted({f.check for f in side if f.check is not None})])
    names = [{check.name for check in table.checks if not check.validated} for table in pair.tables]
    for place, table in enumerate(pair.tables):
        for check in table.checks:
            if check.name in names[0] ^ names[1] and check not in found[place]:
                found[place].append(check)

    def speaks_of(check: Check, side: int) -> set[str]:
        return columns_of(condition(check.expression, pair.scopes[side]))

    def meaning(check: Check, side: int) -> Hashable:
        return side, check.expression  # everything here differs

    def target(check: Check, side: int) -> Hashable:
        return frozenset(speaks_of(check, side))

    def columns(check: Check) -> set[str]:
        return speaks_of(check, 0 if check in pair.tables[0].checks else 1)

    yield from report(pair, (found[0], found[1]), meaning, target, lambda _: "check", texts.check, columns)


def _add_what_types_say(pair: TablePair, sides: tuple[list[Fact], list[Fact]]) -> None:
    comparison = pair.comparison
    postgres, sqlite = sides[comparison.postgres], sides[1 - comparison.postgres]
    known = {fact.form for fact in postgres}
    for columns in pair.columns:
        column, other = columns[comparison.postgres], columns[1 - comparison.postgres]
        asked = facts.demanded(column, other, comparison.equivalences, pair.scopes[1 - comparison.postgres])
        postgres.extend(fact for fact in asked if fact.form not in known)
    for fact in list(sqlite):
        # A text with four digits for the year, from 0001 on, already has both limits.
        if facts.is_first_year(fact.form) and facts.shaped(sqlite, fact.form[1][1]):
            sqlite.append(Fact(("<", fact.form[1], facts.YEAR_10000), fact.check))


def _without_what_types_say(
    pair: TablePair, sides: tuple[list[Fact], list[Fact]], loose: tuple[list[Fact], list[Fact]]
) -> tuple[list[Fact], list[Fact]]:
    postgres = pair.comparison.postgres
    kept = list(loose)
    kept[1 - postgres] = [fact for fact in loose[1 - postgres] if not said_by_type(fact.form, fact.sql, pair.typed)]
    kept[postgres] = [
        fact
        for fact in loose[postgres]
        if not (facts.is_year_10000(fact.form) and facts.shaped(sides[1 - postgres], fact.form[1][1]))
    ]
    return kept[0], kept[1]


def _said_instead(fact: Fact, others: list[Fact]) -> int | None:
    """The CHECK of the other side that says something else about this column alone."""
    return next((each.check for each in others if columns_of(each.form) == {fact.column}), None)


def _asked_in_vain(pair: TablePair, fact: Fact, side: int, instead: int | None) -> Difference:
    column = next(c for c in pair.tables[side].columns if c.name.lower() == fact.column)
    name, other = column.name, None
    if instead is not None:
        check = pair.tables[1 - side].checks[instead]
        name, other = check.name or name, texts.check(check)
    type_text = texts.type_of(column)
    left, right = (type_text, other) if side == 0 else (other, type_text)
    if other is not None:
        return differs("check", pair.name, name, left, right)
    where = "right" if side == 0 else "left"
    return Difference("check", pair.name, name, left, right, f"missing on the {where}: {fact.why}")


def _other_names(pair: TablePair) -> Iterator[Difference]:
    meanings: list[dict[frozenset[Hashable], str | None]] = []
    for table, side in zip(pair.tables, pair.facts, strict=True):
        by_check = {number: frozenset(f.form for f in side if f.check == number) for number in range(len(table.checks))}
        meanings.append({meaning: table.checks[number].name for number, meaning in by_check.items() if meaning})
    for meaning, name in meanings[0].items():
        yield from renamed(pair, "check", name, meanings[1].get(meaning))
