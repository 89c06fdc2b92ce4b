"""The content of a table as a row count and a hash, which are the same on both engines for the same rows.

Each row is a JSON array of its values in their forms (forms.py), sorted by column name; its hash is BLAKE2b of 16
bytes. The table's hash is the sum of the row hashes modulo 2^128: the order of the rows does not matter, and a
duplicate row counts twice. It detects mistakes and damage; it does not protect against forged rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from hashlib import blake2b
from importlib import import_module
from typing import Any

import msgspec

from diglot.errors import ConfigurationError, RowRefused
from diglot.ops.documents import all_as_written, all_canonical, as_written, canonical
from diglot.ops.forms import Form, form_of
from diglot.ops.progress import Report, Step, silent
from diglot.ops.statements import statement
from diglot.schema.model import Column, Schema, Table
from diglot.sql.identifiers import quoted
from diglot.sql.session import Batches, Dialect, Reads, Row, Statement

BATCH = 1000
_BATCH_BYTES = 8 * 1024 * 1024
_SAMPLE = 10
INFINITY = float("inf")
Convert = Callable[[Any], Any]
Condition = tuple[str, tuple[str, ...]]
"""A WHERE clause, empty for all rows, and its values."""
Bad = Callable[[Row, str], None]
"""Called with a row that can't be converted, and the reason."""
_NO_VALUE = (ValueError, TypeError, ArithmeticError, msgspec.MsgspecError)
_SIZE = 16
_TOGETHER: dict[Convert, Callable[[list[Any]], list[Any]]] = {canonical: all_canonical, as_written: all_as_written}
"""Converters for which there is a faster one for many values."""
_encode = msgspec.json.Encoder().encode
_number = int.from_bytes


class Field(msgspec.Struct, frozen=True):
    """A column of one side, and the form of its values. Generated columns are not fields."""

    column: Column
    form: Form


class TableFields(msgspec.Struct, frozen=True):
    """A table on one side: ``fields`` are sorted by name."""

    table: Table
    fields: tuple[Field, ...]
    dialect: Dialect

    @property
    def name(self) -> str:
        return self.table.name


class Content(msgspec.Struct, frozen=True):
    """``hash``: 32 hexadecimal digits."""

    rows: int
    hash: str


class Digest:
    """The content of the rows that were added."""

    def __init__(self, table: TableFields | None = None) -> None:
        """``table``: where the rows are from; without it they may have any values."""
        self.rows = 0
        self._sum = 0
        self._infinite = table is None or any(field.form == "stored" for field in table.fields)

    def add(self, rows: Sequence[Row]) -> None:
        """Rows of values in their forms."""
        self.rows += len(rows)
        texts = map(_encode, map(spelled, rows) if self._infinite else rows)
        self._sum += sum([_number(blake2b(text, digest_size=_SIZE).digest(), "little") for text in texts])

    def content(self) -> Content:
        return Content(self.rows, f"{self._sum % 2 ** (8 * _SIZE):0{2 * _SIZE}x}")


def spelled(row: Row) -> Row:
    """The row with an object in place of each infinity, which JSON does not have. Only the form ``stored`` has them: in
    all other forms they are text. (A row without any costs two searches of a tuple and no copy.)"""
    if INFINITY not in row and -INFINITY not in row:
        return row
    return tuple([{"real": str(value)} if value in (INFINITY, -INFINITY) else value for value in row])


def fields_of(table: Table, dialect: Dialect, other: Table | None = None) -> TableFields:
    """The fields of a table on one side. ``other`` is the same table on the other engine, if there is one: the
    PostgreSQL column decides what a SQLite column means."""
    others = {column.name.lower(): column for column in (other.columns if other is not None else ())}
    found = []
    for column in sorted(table.columns, key=lambda column: column.name.lower()):
        if column.generated is None:
            postgres = column if dialect == "postgres" else others.get(column.name.lower())
            found.append(Field(column, form_of(postgres)))
    return TableFields(table, tuple(found), dialect)


def all_fields(schema: Schema) -> list[TableFields]:
    """The fields of every table that holds rows itself."""
    return [fields_of(table, schema.dialect) for table in schema.tables if holds_rows(table)]


def rows_from(table: TableFields) -> str:
    """The table in a FROM clause: only its own rows; tables that inherit from it are read separately.

    A partitioned table has no rows of its own, and its partitions do not count as tables here.
    """
    partitioned = any(option.startswith("partition by") for option in table.table.options)
    return f"only {quoted(table.name)}" if table.dialect == "postgres" and not partitioned else quoted(table.name)


def holds_rows(table: Table) -> bool:
    """Whether it is neither a virtual table of SQLite nor a foreign table of PostgreSQL."""
    return not {"virtual", "foreign"} & set(table.options)


def refuse_hidden_rows(session: Reads, tables: Sequence[TableFields]) -> None:
    """Raises ConfigurationError if row-level security hides rows of a table: only some would be read."""
    if tables and tables[0].dialect == "postgres":
        hidden = session.rows(statement("postgres", "hidden_rows"), ([table.name for table in tables],))
        if hidden:
            raise ConfigurationError(
                f"row-level security hides rows of {hidden[0][0]} from this role: use the owner of the table, or a "
                "role with BYPASSRLS"
            )


def read_rows(session: Reads, table: TableFields, bad: Bad | None = None, where: Condition = ("", ())) -> Batches:
    """All rows in batches, each value in its form; in constant memory.

    A row with a value that can't be converted is skipped and passed to ``bad``; without ``bad`` it raises RowRefused.
    ``where``: only rows that match.
    """
    values = values_of(table.dialect)
    columns = ", ".join(values.expression(field.column, field.form) for field in table.fields) or "1"
    finish = converters(table, values.finisher)
    text = f"/* diglot:ops.read_rows */ select {columns} from {rows_from(table)}"
    sample = session.rows(Statement("ops.read_rows", f"{text}{where[0]} limit {_SAMPLE}"), where[1])
    reading = Statement("ops.read_rows", text + where[0])
    with closing(session.stream(reading, where[1], size=_batch_of(sample))) as batches:
        for rows in batches:
            yield convert(rows, finish, table, bad)


def _batch_of(sample: Sequence[Row]) -> int:
    """The rows per batch: fewer than BATCH if the first rows of the table have large values."""
    largest = max((sum(len(value) for value in row if isinstance(value, str | bytes)) for row in sample), default=0)
    return max(1, min(BATCH, _BATCH_BYTES // max(1, largest)))


def read_content(session: Reads, tables: Iterable[TableFields], report: Report = silent) -> dict[str, Content]:
    """The content of each table, by name, as the session's snapshot sees it."""
    found = {}
    for table in tables:
        digest = Digest(table)
        for rows in read_rows(session, table):
            digest.add(rows)
            report(Step(f"{table.name}: checking", digest.rows, None))
        found[table.name] = digest.content()
    return found


def converters(table: TableFields, of: Callable[[Table, Column, Form], Convert | None]) -> list[tuple[int, Convert]]:
    """The positions of the fields whose values must be converted, with their converters."""
    found = ((place, of(table.table, field.column, field.form)) for place, field in enumerate(table.fields))
    return [(place, function) for place, function in found if function is not None]


def convert(
    rows: list[Row], places: Sequence[tuple[int, Convert]], table: TableFields, bad: Bad | None = None
) -> list[Row]:
    """The rows with the values at these positions converted; ``bad`` as in ``read_rows``."""
    if not places or not rows:
        return rows
    columns: list[Any] = list(zip(*rows, strict=True))
    for place, function in places:
        try:
            columns[place] = _converted(columns[place], function)
        except _NO_VALUE:
            if bad is None:
                raise _refused(rows, place, function, table) from None
            return _convertible(rows, places, table, bad)
    return list(zip(*columns, strict=True))


def _converted(values: Sequence[Any], function: Convert) -> list[Any]:
    together = _TOGETHER.get(function)
    if together is None:
        return [None if value is None else function(value) for value in values]
    found = iter(together([value for value in values if value is not None]))
    return [None if value is None else next(found) for value in values]


def _convertible(rows: list[Row], places: Sequence[tuple[int, Convert]], table: TableFields, bad: Bad) -> list[Row]:
    found = []
    for row in rows:
        try:
            found += convert([row], places, table)
        except RowRefused as error:
            bad(row, error.problem)
    return found


def key_of(table: TableFields, row: Row) -> str:
    """Identifies a row for people: its primary key, or all of it if there is none."""
    key = table.table.primary_key
    names = key.columns if key is not None else [field.column.name for field in table.fields]
    places = {field.column.name: place for place, field in enumerate(table.fields)}
    return ", ".join(f"{name}={row[places[name]]!r}"[:200] for name in names if name in places)


def _refused(rows: list[Row], place: int, function: Convert, table: TableFields) -> RowRefused:
    for row in rows:
        value = row[place]
        try:
            if value is not None:
                function(value)
        except _NO_VALUE as error:
            field = table.fields[place]
            problem = f"{str(value)[:80]!r} can't be converted to {field.form}: {error}"
            return RowRefused(f"{table.name}.{field.column.name}: {problem}", key_of(table, row))
    raise AssertionError("unreachable")  # pragma: no cover


def values_of(dialect: Dialect) -> Any:
    """The module of the engine's values: ``expression``, ``finisher`` and ``loader``."""
    return import_module(f"diglot.ops.{dialect}.values")
