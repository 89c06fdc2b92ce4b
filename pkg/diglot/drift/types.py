"""What a column's type means: its kind, and which types of the two engines are the same.

The table of equivalences is data. A project adds to it in drift.toml:

    [[equivalent]]
    postgres = "interval"
    sqlite = "integer"
    check = "{column} >= 0"        # what the SQLite column must check; optional

SQLite's declared types are free text, so a type there is its name, else its affinity.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from diglot.schema.model import Column
from diglot.sql.session import Dialect

Kind = Literal["text", "integer", "number", "boolean", "time", "date", "json", "array", "blob", "uuid", "enum", "other"]
"""What matters for the meaning of an expression."""


class Equivalence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Types that are the same: the named ones of PostgreSQL and of SQLite.

    ``check`` is what the SQLite column must check, in SQLite's SQL, with ``{column}`` for the column.
    """

    postgres: str | tuple[str, ...]
    sqlite: str | tuple[str, ...]
    check: str | None = None

    def of(self, dialect: Dialect) -> tuple[str, ...]:
        names = self.postgres if dialect == "postgres" else self.sqlite
        return (names,) if isinstance(names, str) else names


EQUIVALENCES: tuple[Equivalence, ...] = (
    Equivalence(("smallint", "integer", "bigint"), "integer"),
    Equivalence(("real", "double precision"), "real"),
    Equivalence("numeric", ("numeric", "text")),
    Equivalence(("text", "character varying", "character", "name", "citext"), "text"),
    Equivalence("bytea", ("blob", "bytea", "binary", "varbinary")),
    Equivalence("boolean", "boolean"),
    Equivalence("boolean", "integer", check="{column} in (0, 1)"),
    Equivalence(("timestamp with time zone", "timestamp without time zone"), ("text", "datetime", "timestamp")),
    Equivalence("date", ("text", "date")),
    Equivalence(("time without time zone", "time with time zone"), ("text", "time")),
    Equivalence("interval", "text"),
    Equivalence("uuid", ("text", "blob", "uuid", "binary")),
    Equivalence(("json", "jsonb"), "json"),
    Equivalence(("json", "jsonb"), ("text", "blob"), check="json_valid({column})"),
    Equivalence("array", "json"),
    Equivalence("array", "text", check="json_valid({column})"),
    Equivalence("enum", "text"),  # with a CHECK of its labels, see checks.py
    Equivalence(("inet", "cidr", "macaddr", "macaddr8", "xml"), "text"),
)


class TypeClass(msgspec.Struct, frozen=True):
    """``character varying(20)`` is name ``character varying`` and arguments ``(20,)``; ``text[]`` is an array of text.

    SQLite: ``name`` is as declared, ``affinity`` what SQLite derives from it; PostgreSQL has no affinity.
    """

    name: str
    arguments: tuple[int, ...] = ()
    array: bool = False
    affinity: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The names that a table of equivalences may list it under, the most exact first."""
        if self.array:
            return (f"{self.name}[]", "array")
        return (self.name, self.affinity) if self.affinity else (self.name,)


def type_class(column: Column, dialect: Dialect) -> TypeClass:
    """The class of a column's type."""
    text = " ".join(column.type.split()).lower()
    if dialect == "sqlite":
        arguments = tuple(int(number) for number in re.findall(r"\d+", text.partition("(")[2]))
        name = text.partition("(")[0].strip()
        return TypeClass(_SQLITE_NAMES.get(name, name), arguments, affinity=affinity(text))
    return postgres_class(column.type, bool(column.labels))


def postgres_class(text: str, enum: bool = False) -> TypeClass:
    """The class of what ``format_type`` returns."""
    found = _POSTGRES_TYPE.fullmatch(text)
    if found is None:
        return TypeClass(text)
    name = found["name"] + (found["zone"] or "")
    name = name.rpartition(".")[2].strip('"') if enum or "." in name else name
    arguments = tuple(int(number) for number in re.findall(r"-?\d+", found["arguments"] or ""))
    if name == "bpchar":
        name = "character"
    if enum and not found["array"]:
        return TypeClass("enum")
    return TypeClass(name, arguments, bool(found["array"]))


def affinity(declared: str) -> str:
    """SQLite's five rules, in their order."""
    text = declared.upper()
    for words, found in (
        (("INT",), "integer"),
        (("CHAR", "CLOB", "TEXT"), "text"),
        (("BLOB",), "blob"),
        (("REAL", "FLOA", "DOUB"), "real"),
    ):
        if any(word in text for word in words):
            return found
    return "blob" if not text else "numeric"


def kind(column: Column, dialect: Dialect) -> Kind:
    """The kind of the column's values in an expression."""
    of = type_class(column, dialect)
    if of.array:
        return "array"
    for name in of.names:
        if name in _KINDS:
            return _KINDS[name]
    return "other"


def element_kind(column: Column) -> Kind:
    """The kind of the elements of a PostgreSQL array; ``other`` if it is none."""
    of = postgres_class(column.type)
    return _KINDS.get(of.name, "text" if column.labels else "other") if of.array else "other"


def equivalent(
    postgres: TypeClass, sqlite: TypeClass, equivalences: tuple[Equivalence, ...]
) -> tuple[bool, Equivalence | None]:
    """Whether a PostgreSQL type and a SQLite type are the same, and the entry whose check is required."""
    for sqlite_name in sqlite.names:
        found = [
            entry
            for entry in equivalences
            if sqlite_name in entry.of("sqlite") and any(name in entry.of("postgres") for name in postgres.names)
        ]
        if found:
            return True, next((entry for entry in reversed(found) if entry.check), None)
    return False, None


def same_group(one: TypeClass, other: TypeClass, dialect: Dialect, own: tuple[Equivalence, ...]) -> bool:
    """Whether a project says that two types of one engine are the same."""
    return any(
        any(name in entry.of(dialect) for name in one.names) and any(name in entry.of(dialect) for name in other.names)
        for entry in own
    )


_POSTGRES_TYPE = re.compile(
    r'(?P<name>(?:"(?:[^"]|"")+"|[^"(\[])+?)\s*(?P<arguments>\([\d, -]+\))?(?P<zone> with(?:out)? time zone)?'
    r"(?P<array>(?:\[\d*\])+)?"
)
_SQLITE_NAMES = {
    "bool": "boolean",
    "jsonb": "json",
    "timestamptz": "timestamp",
    "timestamp with time zone": "timestamp",
}
_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("smallint", "integer", "bigint"), "integer"),
    **dict.fromkeys(("real", "double precision", "numeric", "decimal"), "number"),
    **dict.fromkeys(("text", "character varying", "character", "citext", "name"), "text"),
    **dict.fromkeys(("timestamp with time zone", "timestamp without time zone", "datetime", "timestamp"), "time"),
    **dict.fromkeys(("json", "jsonb"), "json"),
    **dict.fromkeys(("bytea", "blob", "binary", "varbinary"), "blob"),
    "date": "date",
    "boolean": "boolean",
    "uuid": "uuid",
    "enum": "enum",
}
