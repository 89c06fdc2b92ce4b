"""What the catalogue says: plain data, collected from the files and the two databases, shown by the page."""

from __future__ import annotations

import msgspec

from diglot.catalogue.facing import Line
from diglot.drift import DriftResult
from diglot.sql.header import Parameter
from diglot.sql.session import Dialect


class ResultColumn(msgspec.Struct, frozen=True):
    """A column of the result: its type on each side, and whether it may be null (None: unknown)."""

    name: str
    types: dict[Dialect, str]
    nullable: bool | None


class TableUse(msgspec.Struct, frozen=True):
    """How a query uses one table: the columns that it reads and writes. None: it does not read, or does not write.

    ``reads`` is empty for a table whose rows are only counted, ``writes`` for a table whose rows are deleted.
    """

    table: str
    reads: list[str] | None
    writes: list[str] | None


class PlanText(msgspec.Struct, frozen=True):
    """The plan of the combinations of conditional blocks that need the same indexes.

    ``when`` says which combinations these are, ``text`` is the plan of the simplest, ``problems`` lists what is wrong.
    """

    when: str
    text: str
    problems: list[str]


class Side(msgspec.Struct, frozen=True):
    """A query in one dialect."""

    place: str
    """``postgres/tasks.sql:12``, from the folder of both trees."""
    lines: list[Line]
    notes: dict[str, str]
    """The reasons in its header: ``asserts``, ``differs``, ``plan``, ``only``, ``idempotent``."""
    plans: list[PlanText]
    indexes: list[str]


class Entry(msgspec.Struct, frozen=True):
    """One query: what both sides have in common, and each side."""

    name: str
    kind: str
    doc: str
    parameters: list[Parameter]
    returns: str | None
    columns: list[ResultColumn]
    uses: list[TableUse]
    sides: dict[Dialect, Side]
    writes: bool
    same: bool
    """Whether both texts are the same, word for word."""


class Subject(msgspec.Struct, frozen=True):
    """The queries from files of one name."""

    name: str
    entries: list[Entry]


class Column(msgspec.Struct, frozen=True):
    """A column of a table on one side. ``rules`` is everything but its type: ``not null default now()``."""

    type: str
    rules: str


class Index(msgspec.Struct, frozen=True):
    """An index or a key on one side. ``serves`` are the queries whose plan names it."""

    name: str
    definition: str
    serves: list[str]


class Constraint(msgspec.Struct, frozen=True):
    """A foreign key or a CHECK on one side."""

    name: str
    definition: str


class Table(msgspec.Struct, frozen=True):
    """A table: each column on both sides, the indexes and constraints of each side, the queries that touch it."""

    name: str
    columns: dict[str, dict[Dialect, Column]]
    indexes: dict[Dialect, list[Index]]
    constraints: dict[Dialect, list[Constraint]]
    read_by: list[str]
    written_by: list[str]


class Catalogue(msgspec.Struct, frozen=True):
    """Everything on the page. PostgreSQL is the left side of ``drift``, SQLite the right."""

    engines: dict[Dialect, str]
    subjects: list[Subject]
    tables: list[Table]
    drift: DriftResult
