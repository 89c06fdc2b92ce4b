"""What a statement's text shows and its plan does not: which select has a limit, what an alias means."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from diglot.sql.session import Dialect


class StatementText:
    """What a statement's text adds to its plan; parsed on demand."""

    def __init__(self, text: str, dialect: Dialect) -> None:
        self._text = text
        self._dialect = dialect

    @cached_property
    def _tree(self) -> Any:
        try:
            return parse_one(self._text, dialect=self._dialect)
        except SqlglotError:
            return exp.Expression()

    @cached_property
    def _tables(self) -> list[exp.Table]:
        return list(self._tree.find_all(exp.Table))

    @property
    def deleted(self) -> set[str]:
        """The tables that it deletes from, in lower case."""
        if "delete" not in self._text.lower():
            return set()
        return {found.this.name.lower() for found in self._tree.find_all(exp.Delete) if found.this}

    @property
    def first_table(self) -> str:
        return self._tables[0].name if self._tables else "?"

    def table(self, alias: str) -> str:
        """The table behind a name of the plan, in lower case."""
        return next((t.name for t in self._named(alias)), alias).lower()

    def sorts_for_limit(self, *, nested: bool) -> bool:
        """Whether the select of this sort has a limit: the outermost, or one inside."""
        limited = [one for one in self._tree.find_all(exp.Query) if one.args.get("order") and one.args.get("limit")]
        if not nested and self._tree.args.get("order"):
            return self._tree in limited
        return any(one is not self._tree for one in limited)

    def stops(self, alias: str) -> bool:
        """Whether the select that reads the table takes its first rows, whatever they are, and no more."""
        tables = self._named(alias)
        return bool(tables) and all(_takes_the_first(table.parent_select) for table in tables)

    def wants_no_more_than(self, alias: str, predicate: str) -> bool:
        """Whether the select that reads the table uses only the columns that the predicate refers to."""
        named = set(re.findall(r"\w+", predicate.lower()))
        wheres = [t.parent_select.args.get("where") for t in self._named(alias) if t.parent_select is not None]
        return all(c.name.lower() in named for where in wheres if where for c in where.find_all(exp.Column))

    def _named(self, alias: str) -> list[exp.Table]:
        return [table for table in self._tables if table.alias_or_name.lower() == alias.lower()]


def _takes_the_first(select: Any) -> bool:
    if not isinstance(select, exp.Select):
        return False
    if any(select.args.get(part) for part in ("joins", "group", "distinct", "having", "windows")):
        return False
    where = select.args.get("where")
    if where is not None and where.find(exp.Column, exp.Subquery, exp.Exists):
        return False
    if any(found.parent_select is select for found in select.find_all(exp.AggFunc)):
        return False
    return bool(select.args.get("limit")) or isinstance(select.parent, exp.Exists)
