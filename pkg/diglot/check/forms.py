"""Migrations as they stand in anybody's folder: three forms are read, and run on a database that is thrown away.

- yoyo's: ``NAME.sql`` with ``NAME.rollback.sql``, ordered by ``-- depends:`` and by name;
- ``NAME.up.sql`` with ``NAME.down.sql``, ordered by the number that they begin with (golang-migrate, sqlx);
- plain ``NAME.sql`` in the order of the names, without a way back.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import msgspec

from diglot.check.project import shown
from diglot.errors import MigrationFailed, MigrationTreeError
from diglot.migrate.statements import SqlStatement, split
from diglot.stores.session import Dialect, Store
from diglot.text_file import NotText, decoded


class Form(Enum):
    """How the files of a folder are named: what is behind the name of a migration, and of its way back."""

    YOYO = (".sql", ".rollback.sql")
    UP_DOWN = (".up.sql", ".down.sql")
    PLAIN = (".sql", None)

    def __init__(self, up: str, down: str | None) -> None:
        self.up = up
        self.down = down


class SqlFile(msgspec.Struct, frozen=True):
    """One file with LF line ends; ``path`` as it is shown to people."""

    path: str
    text: str

    def statements(self, form: Form) -> list[SqlStatement]:
        """MigrationTreeError, with the place, where the text can't be cut into statements."""
        return split(self.text, self.path, own_transactions=form is not Form.YOYO)


class MigrationFiles(msgspec.Struct, frozen=True):
    """One migration; ``down`` is None where there is no file for it."""

    id: str
    up: SqlFile
    down: SqlFile | None
    transactional: bool


class MigrationFolder(msgspec.Struct, frozen=True):
    """The migrations of one dialect in the order in which they are applied.

    ``orphans`` are the files of a way back without a migration.
    """

    dialect: Dialect
    form: Form
    migrations: tuple[MigrationFiles, ...]
    orphans: tuple[SqlFile, ...] = ()


_NUMBER = re.compile(r"[Vv]?(\d+)")
_DEPENDS = re.compile(r"^\s*--\s*depends\s*:\s*(.*?)\s*$", re.MULTILINE)
_NOT_TRANSACTIONAL = re.compile(r"^\s*--\s*transactional\s*:\s*false\s*$", re.MULTILINE | re.IGNORECASE)
_BOTH_WAYS = re.compile(r"^\s*--\s*(\+goose\s+(?:Up|Down)|\+migrate\s+(?:Up|Down)|migrate:(?:up|down))\b", re.MULTILINE)


def read_folder(folder: Path, dialect: Dialect) -> MigrationFolder:
    """The migrations of one folder; MigrationTreeError for one that can't be read at all."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file() and path.suffix == ".sql")
    if not names:
        raise MigrationTreeError(f"{shown(folder)} has no migrations (*.sql)")
    python = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
    if python:
        raise MigrationTreeError(f"{shown(python[0])}:1: a migration in Python is not run: write it in SQL")
    form = _form(names)
    downs = {name.removesuffix(form.down): name for name in names if form.down and name.endswith(form.down)}
    ups = {name.removesuffix(form.up): name for name in names if name.endswith(form.up) and name not in downs.values()}
    found = {id: _migration(folder, id, name, downs.get(id), form) for id, name in ups.items()}
    return MigrationFolder(
        dialect=dialect,
        form=form,
        migrations=tuple(found[id] for id in _ordered(found, form)),
        orphans=tuple(_file(folder / name) for id, name in downs.items() if id not in ups),
    )


def apply(store: Store, folder: MigrationFolder) -> None:
    """Apply all of them in their order; MigrationFailed with the place of the first statement that is refused."""
    with store.migration_connection(_LOCK_WAIT) as connection:
        for migration in folder.migrations:
            run(connection, folder, migration.up, migration.transactional)


def run(connection: Any, folder: MigrationFolder, file: SqlFile, transactional: bool) -> None:
    """Run one file on the driver's own connection, in autocommit: all or nothing where it is ``transactional``."""
    statements = file.statements(folder.form)
    if transactional and any(s.transaction_control for s in statements):
        transactional = False
    if transactional:
        _execute(connection, folder.dialect, "begin")
    try:
        for statement in statements:
            _run(connection, folder.dialect, statement, file)
    except BaseException:
        _roll_back(connection, folder.dialect)
        raise
    if transactional:
        _execute(connection, folder.dialect, "commit")


# --- reading -----------------------------------------------------------------------------------------------

_LOCK_WAIT = 30.0


def _form(names: Sequence[str]) -> Form:
    for form in (Form.UP_DOWN, Form.YOYO):
        if any(name.endswith(form.down or "") for name in names):
            return form
    return Form.PLAIN


def _migration(folder: Path, id: str, name: str, down: str | None, form: Form) -> MigrationFiles:
    up = _file(folder / name)
    marked = _BOTH_WAYS.search(up.text)
    if marked:
        line = up.text.count("\n", 0, marked.start(1)) + 1
        raise MigrationTreeError(
            f"{up.path}:{line}: {marked[1]!r}: a file with both ways in it is not read; give each way its own, "
            f"{id}.up.sql and {id}.down.sql"
        )
    concurrently = form is not Form.YOYO and re.search(r"\bconcurrently\b", up.text, re.IGNORECASE) is not None
    transactional = not _NOT_TRANSACTIONAL.search(up.text) and not concurrently
    return MigrationFiles(id, up, _file(folder / down) if down else None, transactional)


def _file(path: Path) -> SqlFile:
    try:
        text = decoded(path.read_bytes())
    except NotText as error:
        raise MigrationTreeError(f"{shown(path)}:{error.line}: not UTF-8") from error
    return SqlFile(shown(path), text)


def _ordered(found: dict[str, MigrationFiles], form: Form) -> list[str]:
    if form is Form.PLAIN:
        return sorted(found)
    if form is Form.UP_DOWN:
        numbers = {id: _NUMBER.match(id) for id in found}
        return sorted(found, key=lambda id: (int(number[1]) if (number := numbers[id]) else 0, id))
    graph: TopologicalSorter[str] = TopologicalSorter()
    for id in sorted(found):
        graph.add(id, *(before for before in _depends(found[id]) if before in found))
    try:
        graph.prepare()
    except CycleError as error:
        raise MigrationTreeError(f"{found[error.args[1][0]].up.path}:1: it depends on itself") from error
    order: list[str] = []
    while graph.is_active():
        ready = sorted(graph.get_ready())
        order.extend(ready)
        graph.done(*ready)
    return order if any(_depends(one) for one in found.values()) else sorted(found)


def _depends(migration: MigrationFiles) -> list[str]:
    return [id for line in _DEPENDS.findall(migration.up.text) for id in line.split()]


# --- running -----------------------------------------------------------------------------------------------


def _run(connection: Any, dialect: Dialect, statement: SqlStatement, file: SqlFile) -> None:
    try:
        _execute(connection, dialect, statement.text)
    except Exception as error:
        message, line = _explained(error, dialect, statement)
        raise MigrationFailed(f"{file.path}:{line}: {message}") from error


def _execute(connection: Any, dialect: Dialect, sql: str) -> None:
    if dialect == "sqlite":
        connection.execute(sql).close()
        return
    import psycopg

    # As bytes and with the plain cursor: nothing in it is a placeholder.
    with psycopg.Cursor(connection) as cursor:
        cursor.execute(sql.encode(), prepare=False)


def _roll_back(connection: Any, dialect: Dialect) -> None:
    if dialect == "sqlite":
        if connection.in_transaction:
            connection.execute("rollback").close()
    elif not connection.closed:
        connection.execute("rollback")


def _explained(error: Exception, dialect: Dialect, statement: SqlStatement) -> tuple[str, int]:
    """What the database says, and the line that it speaks of."""
    if dialect == "sqlite":
        return str(error), statement.line
    diagnosis = getattr(error, "diag", None)
    message = getattr(diagnosis, "message_primary", None) or str(error)
    position = getattr(diagnosis, "statement_position", None)
    return message, statement.line_at(int(position) - 1) if position else statement.line
