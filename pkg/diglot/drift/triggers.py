"""Compares triggers: event and timing always, condition and body only within one engine.

Two things are written in different ways on the two engines. A SQLite trigger has one event, so several of them face
one of PostgreSQL. And SQLite can't assign to NEW, so a BEFORE trigger that does is an AFTER trigger there.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

import msgspec

from diglot.drift import texts
from diglot.drift.difference import Difference, differs
from diglot.drift.matching import by_name
from diglot.drift.table_pair import Comparison
from diglot.schema.model import Trigger


def compare_triggers(
    comparison: Comparison, table: str, left: Sequence[Trigger], right: Sequence[Trigger]
) -> Iterator[Difference]:
    """The triggers of a table or a view."""
    sides = list(left), list(right)
    if comparison.mixed:
        postgres = comparison.postgres
        sides[1 - postgres][:] = _joined(sides[postgres], sides[1 - postgres], comparison)
    names = [{trigger.name: trigger for trigger in side} for side in sides]
    for one, other in by_name(names[0], names[1], comparison.same_name):
        pair = names[0].get(one or ""), names[1].get(other or "")
        yield from _compare(comparison, table, *pair)


def _compare(comparison: Comparison, table: str, one: Trigger | None, other: Trigger | None) -> Iterator[Difference]:
    name = next(each.name for each in (one, other) if each is not None)
    shown = [
        texts.trigger(each, with_condition=not comparison.mixed) if each is not None else None for each in (one, other)
    ]
    if one is None or other is None:
        yield differs("trigger", table, name, *shown)
    elif comparison.mixed:
        sides = one, other
        if _firing(sides[comparison.postgres]) != _firing(sides[1 - comparison.postgres]):
            yield differs("trigger", table, name, *shown)
    elif shown != [shown[0]] * 2:
        yield differs("trigger", table, name, *shown)
    elif one.body != other.body:
        yield Difference("trigger", table, name, one.body, other.body, "its body differs")


def _firing(of: Trigger) -> Hashable:
    """When it fires. PostgreSQL's BEFORE trigger that changes the row counts as SQLite's AFTER trigger."""
    timing = "after" if of.timing == "before" and of.changes_row else of.timing
    return timing, frozenset(of.events), frozenset(map(str.lower, of.columns)), of.for_each, of.enabled


def _joined(postgres: list[Trigger], sqlite: list[Trigger], comparison: Comparison) -> list[Trigger]:
    """SQLite's triggers; those that together have the events of one PostgreSQL trigger, whose name they begin with, as
    one."""
    rest = list(sqlite)
    for trigger in postgres:
        parts = [each for each in rest if each.name.lower().startswith(comparison.fold(trigger.name))]
        events = [event for each in parts for event in each.events]
        alike = {(each.timing, each.columns, each.for_each) for each in parts}
        if len(parts) > 1 and len(alike) == 1 and sorted(events) == sorted(trigger.events):
            rest = [each for each in rest if each not in parts]
            rest.append(msgspec.structs.replace(parts[0], name=trigger.name, events=tuple(events)))
    return rest
