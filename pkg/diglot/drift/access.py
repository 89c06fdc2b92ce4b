"""Compares what PostgreSQL alone has, between two of its databases: row level security, privileges, comments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from diglot.drift import texts
from diglot.drift.difference import Difference, differs
from diglot.drift.matching import by_name
from diglot.drift.table_pair import TablePair
from diglot.schema.model import Grant


def compare_access(pair: TablePair) -> Iterator[Difference]:
    """Whether row level security is on, its policies, and the privileges of others than the owner."""
    one, other = pair.tables
    if one.row_security != other.row_security:
        yield differs("policy", pair.name, pair.name, *(texts.row_security(table) for table in pair.tables))
    policies = [{policy.name: texts.policy(policy) for policy in table.policies} for table in pair.tables]
    for left, right in by_name(policies[0], policies[1], pair.comparison.same_name):
        shown = policies[0].get(left or ""), policies[1].get(right or "")
        if shown[0] != shown[1]:
            yield differs("policy", pair.name, left or right or "", *shown)
    yield from grants(pair.name, one.grants, other.grants)


def grants(table: str, left: Sequence[Grant], right: Sequence[Grant]) -> Iterator[Difference]:
    """One difference for each role whose privileges differ."""
    for role in sorted({grant.role for grant in (*left, *right)}):
        shown = [texts.grants([grant for grant in side if grant.role == role]) for side in (left, right)]
        if shown[0] != shown[1]:
            yield differs("grant", table, role, *shown)


def compare_comments(pair: TablePair) -> Iterator[Difference]:
    """The comments of the table and of its columns."""
    one, other = pair.tables
    yield from one_comment(pair.name, pair.name, one.comment, other.comment)
    for left, right in pair.columns:
        yield from one_comment(pair.name, left.name, left.comment, right.comment)


def one_comment(table: str, name: str, left: str, right: str) -> Iterator[Difference]:
    if left != right:
        yield differs("comment", table, name, *(repr(comment) if comment else None for comment in (left, right)))
