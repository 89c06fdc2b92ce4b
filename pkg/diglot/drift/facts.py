"""What the rows of a table must satisfy: its CHECKs, split into facts, and what its columns' types require.

A PostgreSQL type can imply what SQLite needs a CHECK for: a boolean is 0 or 1, an enum one of its labels, a jsonb valid
JSON. And a SQLite CHECK can state what the PostgreSQL type already implies: that a text has the form of a timestamp.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from diglot.drift import expressions
from diglot.drift.expressions import columns_of, walk
from diglot.drift.reading import Scope
from diglot.drift.shapes import is_form_test
from diglot.drift.types import Equivalence, Kind, equivalent, kind, type_class
from diglot.drift.values import Form, joined
from diglot.schema.model import Column, Table
from diglot.sql.session import Dialect


class Fact(msgspec.Struct, frozen=True):
    """One thing that every row satisfies. ``check`` is the position of its CHECK in the table, None for a type's.

    ``sql`` is the part of the CHECK that says it.
    """

    form: Form
    check: int | None
    column: str | None = None
    why: str = ""
    sql: str = ""


def written(table: Table, scope: Scope) -> list[Fact]:
    """The facts of a table's CHECKs."""
    return [
        Fact(form, number, sql=sql)
        for number, check in enumerate(table.checks)
        for form, sql in expressions.facts_with_text(check.expression, scope)
    ]


def not_null(facts: list[Fact]) -> set[str]:
    """The columns that a CHECK keeps from being NULL."""
    return {fact.form[1][1][1] for fact in facts if _is_not_null(fact)}


def without_not_null(facts: list[Fact]) -> list[Fact]:
    return [fact for fact in facts if not _is_not_null(fact)]


def _is_not_null(fact: Fact) -> bool:
    form = fact.form
    return bool(form[0] == "not" and form[1][0] == "is null" and form[1][1][0] == "column")


def demanded(postgres: Column, sqlite: Column, equivalences: tuple[Equivalence, ...], scope: Scope) -> Iterator[Fact]:
    """What the PostgreSQL column's type requires of the rows, so that the SQLite column needs a CHECK for it.

    A SQLite column that is declared BOOLEAN, JSON or VARCHAR(n) needs no CHECK.
    """
    one, other = type_class(postgres, "postgres"), type_class(sqlite, "sqlite")
    name = sqlite.name.lower()
    subject: Form = ("column", name)
    if one.name == "enum":
        labels: list[Form] = [("text", label) for label in postgres.labels]
        yield Fact(
            joined("or", [("=", subject, label) for label in labels]),
            None,
            name,
            f"the enum's labels need CHECK ({sqlite.name} in (…))",
        )
    if one.name in ("character varying", "character") and one.arguments and not (other.arguments or one.array):
        length: Form = ("<=", ("length", subject), ("number", str(one.arguments[0])))
        yield Fact(length, None, name, f"the type's length needs CHECK (length({sqlite.name}) <= {one.arguments[0]})")
    if one.name == "numeric" and one.arguments and other.affinity == "text":
        digits = ", ".join(map(str, one.arguments))
        yield Fact(("written", subject), None, name, f"numeric({digits}) as text needs a CHECK of how it is written")
    _, entry = equivalent(one, other, equivalences)
    if entry is not None and entry.check:
        text = entry.check.replace("{column}", f'"{name}"')
        for form in expressions.facts(text, msgspec.structs.replace(scope, dialect="sqlite")):
            yield Fact(
                form, None, name, f"{one.names[-1]} needs CHECK ({entry.check.replace('{column}', sqlite.name)})"
            )


def fulfils(facts: set[Form], demanded: Form) -> bool:
    """Whether one of the facts is at least as strict; asking for the JSON type implies valid JSON."""
    if demanded in facts:
        return True
    if demanded[0] == "written":
        return any(is_form_test(form) and columns_of(form) == columns_of(demanded) for form in facts)
    if demanded[0] == "json_valid":
        return any(("json_type", demanded[1]) in walk(form) for form in facts)
    return False


def shaped(facts: list[Fact], column: str) -> bool:
    """Whether SQLite's checks require the column's text to be a time with four digits for the year."""
    return any(is_form_test(fact.form) and columns_of(fact.form) == {column} for fact in facts)


FIRST_YEAR: Form = ("instant", "0001-01-01T00:00:00.000000Z")
YEAR_10000: Form = ("instant", "10000-01-01T00:00:00.000000Z")


def kinds(tables: tuple[Table, Table], dialects: tuple[Dialect, Dialect]) -> dict[str, Kind]:
    """The classes of the columns; if the engines differ, PostgreSQL's, which is more exact."""
    found: dict[str, Kind] = {}
    for dialect in ("sqlite", "postgres"):
        for table, of in zip(tables, dialects, strict=True):
            if of == dialect:
                found.update({column.name.lower(): kind(column, of) for column in table.columns})
    return found


def is_first_year(form: Form) -> bool:
    return bool(form[0] == ">=" and form[2] == FIRST_YEAR and form[1][0] == "column")


def is_year_10000(form: Form) -> bool:
    return bool(form[0] == "<" and form[2] == YEAR_10000 and form[1][0] == "column")
