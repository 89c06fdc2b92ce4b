"""The schema of a SQLite database, from pragmas, and from sqlite_schema what they don't report.

For a virtual table (rootpage 0) only the name is read: the rest would need its module, which may be missing.

A file is opened read-only and does not change: not even a -wal or -shm is left next to it.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from diglot.errors import DatabaseError, DatabaseUnavailable
from diglot.schema.bookkeeping import is_bookkeeping
from diglot.schema.model import (
    Column,
    ForeignKey,
    Identity,
    Index,
    Key,
    PrimaryKey,
    Schema,
    Table,
    Trigger,
    View,
    ViewColumn,
)
from diglot.schema.sqlite.ddl import TableText, read_index, read_table, read_trigger, read_view
from diglot.schema.statements import statement
from diglot.sql.session import Row, Statement
from diglot.stores.sqlite.library import library, server_version
from diglot.stores.store import Store


class Rows(Protocol):
    """Runs a statement."""

    def __call__(self, statement: Statement, values: tuple[str, ...] = (), /) -> list[Row]: ...


def read_sqlite(store: Store) -> Schema:
    """The schema of an open store."""
    with store.snapshot() as session:
        return read_rows(session.rows, f"{store.location} ({store.server_version})")


def read_sqlite_file(path: Path) -> Schema:
    """The schema of a file. DatabaseUnavailable if it does not exist or can't be read."""
    if not path.is_file():
        raise DatabaseUnavailable(f"can't open {path}: {'it is not a file' if path.exists() else 'it does not exist'}")
    driver = library()
    try:
        with closing(driver.connect(_uri(path), uri=True, isolation_level=None, timeout=5)) as connection:
            connection.execute("begin")
            return read_rows(partial(_fetch, connection), f"{path} ({server_version()})")
    except (driver.Error, OSError) as error:
        raise DatabaseUnavailable(f"can't read {path}: {error}") from error


def _fetch(connection: Any, statement: Statement, values: tuple[str, ...] = ()) -> list[Row]:
    found: list[Row] = connection.execute(statement.text, values).fetchall()
    return found


def _uri(path: Path) -> str:
    """A database in WAL mode that nobody has open is opened as immutable: otherwise -wal and -shm are created."""
    with path.open("rb") as file:
        in_wal_mode = file.read(20)[18:20] == b"\x02\x02"
    immutable = in_wal_mode and not Path(f"{path}-wal").exists()
    return f"file:{quote(str(path.absolute()))}?mode=ro{'&immutable=1' if immutable else ''}"


def read_rows(rows: Rows, location: str) -> Schema:
    """The schema, read through a function that runs statements."""
    columns, foreign_keys, indexes, keys, triggers = (
        _by_first(rows(statement("sqlite", name)))
        for name in ("columns", "foreign_keys", "indexes", "index_keys", "triggers")
    )
    reader = _Reader(columns, foreign_keys, indexes, keys, triggers)
    tables, views = [], []
    for name, kind, without_rowid, strict, sql in rows(statement("sqlite", "relations")):
        if is_bookkeeping(name):
            continue
        if kind == "view":
            views.append(_view(rows, reader, name, sql))
        else:
            tables.append(reader.table(name, kind == "virtual", bool(without_rowid), bool(strict), sql))
    return Schema(dialect="sqlite", location=location, tables=tuple(tables), views=tuple(views))


def _view(rows: Rows, reader: _Reader, name: str, sql: str) -> View:
    columns: tuple[ViewColumn, ...] | None
    try:
        found = rows(statement("sqlite", "view_columns"), (name,))
        columns = tuple(ViewColumn(name=column, type=declared.lower()) for column, declared in found)
    except (library().Error, DatabaseError):  # only now does SQLite look for the view's tables
        columns = None
    return View(name=name, columns=columns, body=read_view(sql), triggers=reader.triggers(name))


class _Reader:
    """Rows of the pragmas, gathered by the table's name (keys: by the index's)."""

    def __init__(self, *gathered: dict[str, list[Row]]) -> None:
        self._columns, self._foreign_keys, self._indexes, self._keys, self._triggers = gathered
        self._primary_keys = {
            table: [name for _, name in sorted((row[4], row[0]) for row in rows if row[4])]
            for table, rows in self._columns.items()
        }

    def table(self, name: str, virtual: bool, without_rowid: bool, strict: bool, sql: str) -> Table:
        text = TableText() if virtual else read_table(sql)
        primary = self._primary_keys.get(name, [])
        key_index = next((row[0] for row in self._indexes[name] if row[2] == "pk"), None)
        is_rowid = len(primary) == 1 and not (without_rowid or key_index)  # integer primary key, but for "… desc"
        columns = tuple(
            self._column(row, text, primary, is_rowid, without_rowid or strict) for row in self._columns[name]
        )
        options = ["virtual"] * virtual + ["strict"] * strict + ["without rowid"] * without_rowid
        return Table(
            name=name,
            columns=columns,
            primary_key=PrimaryKey(name=text.primary_key, columns=tuple(primary), plan_name=key_index)
            if primary
            else None,
            foreign_keys=self._references(name, text),
            indexes=tuple(self._index(row, text) for row in self._indexes[name] if row[2] != "pk"),
            checks=tuple(text.checks),
            triggers=self.triggers(name),
            options=tuple(options),
        )

    def triggers(self, name: str) -> tuple[Trigger, ...]:
        return tuple(read_trigger(trigger, sql) for trigger, sql in self._triggers[name])

    def _column(self, row: Row, text: TableText, primary: list[str], is_rowid: bool, keys_not_null: bool) -> Column:
        name, declared, not_null, default, _, hidden = row
        generated = text.generated.get(name.lower()) if hidden in (2, 3) else None
        numbered: Identity = ""
        if is_rowid and name in primary:
            numbered = "autoincrement" if text.autoincrement else "rowid"
        collation = text.collations.get(name.lower(), "")
        return Column(
            name=name,
            type=declared.lower(),
            nullable=not (not_null or numbered or (name in primary and keys_not_null)),
            default=None if generated else default,
            identity=numbered,
            generated=generated,
            stored=hidden == 3,
            collation="" if collation == "binary" else collation,
        )

    def _references(self, table: str, text: TableText) -> tuple[ForeignKey, ...]:
        written = defaultdict(list)
        for reference in text.references:
            written[reference.columns].append(reference)
        gathered: dict[int, list[Row]] = defaultdict(list)
        for id, *rest in self._foreign_keys[table]:
            gathered[id].append(tuple(rest))
        found = []
        for id in sorted(gathered, reverse=True):  # the pragma counts from the last
            parts = gathered[id]
            columns = tuple(column for _, column, *_ in parts)
            parent, _, to, on_update, on_delete, _ = parts[0]
            same = written.get(tuple(map(str.lower, columns)), [])
            match = same.pop(0) if same else None
            found.append(
                ForeignKey(
                    name=match.name if match else None,
                    columns=columns,
                    table=parent,
                    references=tuple(part[2] for part in parts)
                    if to is not None
                    else tuple(self._primary_keys.get(parent, ())),
                    on_delete=on_delete.lower(),
                    on_update=on_update.lower(),
                    deferrable=match.deferrable if match else "",
                )
            )
        return tuple(found)

    def _index(self, row: Row, text: TableText) -> Index:
        name, unique, origin, sql = row
        expressions, predicate = read_index(sql) if sql else ([], None)
        keys = []
        for place, (column, descending, collation, number) in enumerate(self._keys[name]):
            keys.append(
                Key(
                    column=column,
                    expression=("rowid" if number == -1 else expressions[place]) if column is None else None,
                    descending=bool(descending),
                    collation=_own_collation(collation, column, text),
                )
            )
        plan_name = None
        if origin == "u":
            name, plan_name = text.uniques.get(tuple(str(key.column).lower() for key in keys)), name
        return Index(name=name, keys=tuple(keys), unique=bool(unique), predicate=predicate, plan_name=plan_name)


def _own_collation(collation: str | None, column: str | None, text: TableText) -> str:
    """Empty if the index sorts as the column does."""
    of_column = text.collations.get(column.lower(), "binary") if column else "binary"
    found = (collation or "binary").lower()
    return "" if found == of_column else found


def _by_first(rows: list[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for first, *rest in rows:
        found[first].append(tuple(rest))
    return found
