"""What is the same in both schemas as far as one can see, and still is not: a note for each kind, with its places.

``not enforced``: PostgreSQL refuses or changes a value that SQLite takes as it is. SQLite is asked: it gets such a
value, under the CHECKs of the column. ``unknown``: drift can't tell whether both sides mean the same. They call a
function of one name, say in the same words what drift can't read, or have a view or a trigger of one name.

Notes are no differences. A schema can have them for good reasons, and the exit code does not depend on them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import msgspec

from diglot.drift.expressions import columns_of, form, walk
from diglot.drift.matching import by_name
from diglot.drift.samples import RANGES
from diglot.drift.table_pair import TablePair
from diglot.drift.trial import takes
from diglot.drift.types import TypeClass, type_class
from diglot.drift.values import Form
from diglot.schema.model import Check

NoteKind = Literal["not enforced", "unknown"]


class Note(msgspec.Struct, frozen=True):
    """``places`` are columns as ``orders.note``, or tables."""

    kind: NoteKind
    what: str
    places: list[str]

    @property
    def line(self) -> str:
        """In one line, with the first of its places."""
        more = f" and {len(self.places) - 3} more" if len(self.places) > 3 else ""
        return f"{self.kind}: {self.what} ({len(self.places)}: {', '.join(self.places[:3])}{more})"


def notes_of(pairs: Iterable[TablePair], views: list[str]) -> list[Note]:
    """One note for each thing that SQLite does not enforce, and for each that is not known.

    ``views`` are the names of those that both sides have.
    """
    found: dict[tuple[NoteKind, str], list[str]] = {}
    if views:
        found["unknown", "the query of a view: it is not compared between the engines"] = views
    for pair in pairs:
        for kind, what, place in (*_not_enforced(pair), *_unknown(pair)):
            places = found.setdefault((kind, what), [])
            if place not in places:
                places.append(place)
    return [Note(kind, what, places) for (kind, what), places in sorted(found.items())]


# --- not enforced ------------------------------------------------------------------------------------------

_TEXT_TYPES = ("text", "character varying", "character", "name", "citext")
_WRITTEN = (
    *("date", "timestamp with time zone", "timestamp without time zone", "time without time zone"),
    *("time with time zone", "interval", "uuid", "inet", "cidr", "macaddr", "macaddr8"),
)
_LENGTHS = (1, 3, 10, 32, 36, 100)
"""A CHECK of the length alone refuses some of them."""
_FRACTIONS = (
    "2026-01-31T09:05:07.123456Z",
    "2026-01-31T09:05:07.123456",
    "2026-01-31 09:05:07.123456",
    "09:05:07.123456",
)


def _not_enforced(pair: TablePair) -> Iterator[tuple[NoteKind, str, str]]:
    table = pair.tables[1 - pair.comparison.postgres]
    for postgres, sqlite in pair.typed.values():
        if sqlite.generated is not None:
            continue
        checks = _own(pair, sqlite.name, table.checks)
        condition = " and ".join(f"({check.expression})" for check in checks) or "true"
        declared = sqlite.type + (f" collate {sqlite.collation}" if sqlite.collation else "")
        declared += " primary key" if sqlite.identity else ""
        for what, values in _foreign(type_class(postgres, "postgres")):
            strict = "strict" in table.options
            if any(takes(sqlite.name, declared, condition, value, strict) for value in values):
                yield "not enforced", what, f"{pair.name}.{postgres.name}"


def _foreign(of: TypeClass) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Values that PostgreSQL's type refuses or changes, with what it means that SQLite takes them."""
    limit = of.arguments[0] if of.arguments else 0
    if of.array:
        yield "the form of an array: SQLite takes JSON that is no array", ("{}",)
    elif of.name in _TEXT_TYPES:
        yield "the type: SQLite takes values of other types", tuple(b"\xff" * length for length in _LENGTHS)
        if limit:
            yield "the length of a text: SQLite takes more characters", ("x" * (limit + 1),)
        if of.name == "character" and limit > 1:
            yield "the length of char(n): SQLite does not fill it up with blanks", ("x",)
    elif of.name in RANGES:
        yield "the type: SQLite takes values of other types", ("x",)
        if of.name != "bigint":
            yield f"the range of {of.name}: SQLite takes 64 bits", (RANGES[of.name],)
    elif of.name == "numeric":
        yield "the type: SQLite takes values of other types", (b"\x00",)
        if of.arguments:
            decimals = (*of.arguments, 0)[1]
            finer = f"0.{'0' * decimals}5"
            larger = 10 ** min(limit - decimals, 18)
            yield "the scale of a numeric: SQLite keeps more decimals", (float(finer), finer)
            yield "the precision of a numeric: SQLite takes more digits", (larger, f"{larger}.{'0' * decimals}")
    elif of.name in ("real", "double precision"):
        yield "the type: SQLite takes values of other types", ("x",)
        if of.name == "real":
            yield "the range and precision of real: SQLite keeps 64 bits", (1e300,)
    elif of.name == "boolean":
        yield "the type boolean: SQLite takes other numbers than 0 and 1", (2,)
    elif of.name in ("json", "jsonb"):
        yield "the form of JSON: SQLite takes any text", ("x",)
    elif of.name in _WRITTEN:
        yield f"the form of a {of.name}: SQLite takes any text", tuple("x" * length for length in _LENGTHS)
        if of.arguments and limit < 6:
            yield f"the precision of a {of.name}: SQLite keeps microseconds", _FRACTIONS


def _own(pair: TablePair, name: str, checks: tuple[Check, ...]) -> list[Check]:
    """The CHECKs on this column alone."""
    scope = pair.scopes[1 - pair.comparison.postgres]
    return [check for check in checks if columns_of(form(check.expression, scope)) == {name.lower()}]


# --- unknown -----------------------------------------------------------------------------------------------


def _unknown(pair: TablePair) -> Iterator[tuple[NoteKind, str, str]]:
    for one, other in by_name(*_trigger_names(pair), pair.comparison.same_name):
        if one is not None and other is not None:
            what = "the condition and the body of a trigger: they are not compared between the engines"
            yield "unknown", what, f"{pair.name}.{one}"
    sides = [set(_forms(pair, side)) for side in (0, 1)]
    for each in sorted(sides[0] & sides[1], key=repr):
        for part in walk(each):
            if part[0] in ("lower", "upper") and _knows_ascii_alone(pair, part):
                continue
            if part[0] in _DIFFERENT:
                yield "unknown", f"{part[0]}(): {_DIFFERENT[part[0]]}", pair.name
            elif part[0] == "unread":
                yield "unknown", f"an expression that drift can't read: {part[1]}", pair.name
            elif part[0] not in _KNOWN:
                yield "unknown", f"{part[0]}(): drift does not know whether it is the same on both engines", pair.name


def _knows_ascii_alone(pair: TablePair, part: Form) -> bool:
    """Whether PostgreSQL has a collation for it whose lower() is SQLite's."""
    columns = [pair.typed[name][0] for name in columns_of(part) if name in pair.typed]
    return bool(columns) and all(column.collation.lower() in ("c", "posix") for column in columns)


def _trigger_names(pair: TablePair) -> tuple[list[str], list[str]]:
    left, right = ([trigger.name for trigger in table.triggers] for table in pair.tables)
    return left, right


def _forms(pair: TablePair, side: int) -> Iterator[Form]:
    """The meanings of CHECKs, defaults, generated columns and indexes."""
    table, scope = pair.tables[side], pair.scopes[side]
    yield from (fact.form for fact in pair.facts[side])
    for column in table.columns:
        yield from (form(text, scope) for text in (column.default, column.generated) if text is not None)
    for index in table.indexes:
        texts = (*(key.expression for key in index.keys), index.predicate)
        yield from (form(text, scope) for text in texts if text is not None)


_DIFFERENT = {
    "lower": "SQLite changes the letters of ASCII alone",
    "upper": "SQLite changes the letters of ASCII alone",
    "round": "PostgreSQL rounds halves of double precision to the even number, SQLite away from zero",
    "collate": "the collations of two engines are not the same",
}
_KNOWN = {
    *(
        "and",
        "or",
        "not",
        "is",
        "is null",
        "in",
        "=",
        "<>",
        "<",
        "<=",
        ">",
        ">=",
        "matches",
        "case",
        "when",
        "any",
        "all",
    ),
    *("column", "text", "number", "instant", "blob", "null", "array", "json value", "word", "cast", "no number"),
    *("add", "sub", "mul", "div", "mod", "-", "abs", "dpipe", "coalesce", "nullif", "length", "octet_length"),
    *("trim", "ltrim", "rtrim", "substring", "replace", "left", "right", "strposition", "hex"),
    *("json", "json text", "json_type", "json_valid", "json_array_length", "now", "today", "now time", "date"),
}
