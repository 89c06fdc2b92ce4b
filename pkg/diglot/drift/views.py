"""Compares views: their columns always, the types of these and the query only within one engine.

Between the engines a query can't be compared by its text; that the columns are the same is what can be known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from diglot.drift import texts
from diglot.drift.access import grants, one_comment
from diglot.drift.difference import Difference, differs
from diglot.drift.matching import by_name
from diglot.drift.table_pair import Comparison
from diglot.drift.triggers import compare_triggers
from diglot.drift.types import affinity
from diglot.schema.model import View


def compare_views(comparison: Comparison, left: Sequence[View], right: Sequence[View]) -> Iterator[Difference]:
    """The views that one side lacks, and what differs in those that both sides have."""
    views = [{view.name: view for view in side} for side in (left, right)]
    for one, other in by_name(views[0], views[1], comparison.same_name):
        if one is None or other is None:
            name = one or other or ""
            yield differs("view", name, name, one, other)
        else:
            yield from _compare(comparison, views[0][one], views[1][other])


def _compare(comparison: Comparison, one: View, other: View) -> Iterator[Difference]:
    columns = [_columns(comparison, view) for view in (one, other)]
    shown = [texts.view(view, with_types=not comparison.mixed) for view in (one, other)]
    if one.materialized != other.materialized or columns[0] != columns[1]:
        yield differs("view", one.name, one.name, *shown)
    elif not comparison.mixed and one.body != other.body:
        yield Difference("view", one.name, one.name, one.body, other.body, "its query differs")
    yield from compare_triggers(comparison, one.name, one.triggers, other.triggers)
    if comparison.dialects == ("postgres", "postgres"):
        yield from grants(one.name, one.grants, other.grants)
        yield from one_comment(one.name, one.name, one.comment, other.comment)


def _columns(comparison: Comparison, view: View) -> object:
    """The names in any order; within one engine the types too. None if SQLite can't find them."""
    if view.columns is None:
        return None
    if comparison.mixed:
        return sorted(comparison.fold(each.name) for each in view.columns)
    typed = affinity if "sqlite" in comparison.dialects else str
    return sorted((comparison.fold(each.name), typed(each.type)) for each in view.columns)
