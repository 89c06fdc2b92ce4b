"""The databases that the tests run on: real ones, a fresh one for each test.

`database_url` (empty), `migrated_url`, `store` and `db` run a test once on each of SQLite in a file, SQLite in memory,
PostgreSQL 16 and 18; `postgres_url` on the two PostgreSQL versions. One server a version serves the whole session,
all xdist workers; each test gets a database of its own, made from a migrated template where it wants one.
DIGLOT_TEST_POSTGRES_URLS (separated by commas) names other servers to use instead. `pooled` is PostgreSQL behind
PgBouncer in transaction mode, skipped where PgBouncer is not installed; nothing else is ever skipped.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString, Protocol
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import psycopg
import pytest

from tests import pgbouncer
from tests.pgbouncer import PgBouncer
from tests.postgres_server import VERSIONS, PostgresServer

if TYPE_CHECKING:
    from diglot.statestore.database import Database
    from diglot.stores.store import Store

EXTERNAL = [url for url in os.environ.get("DIGLOT_TEST_POSTGRES_URLS", "").split(",") if url.strip()]
POSTGRES = (
    [f"postgres-external-{number}" for number in range(1, len(EXTERNAL) + 1)]
    if EXTERNAL
    else [f"postgres-{version}" for version in VERSIONS]
)
OLDER = "postgres-16"
POSTGRES_PARAMS = [
    pytest.param(name, id=name, marks=[pytest.mark.postgres, *([pytest.mark.older] if name == OLDER else [])])
    for name in POSTGRES
]
POOLED = "pgbouncer"
POOLED_PARAM = pytest.param(POOLED, id=POOLED, marks=pytest.mark.postgres)
"""A database behind PgBouncer, for a fixture that asks for it."""
SQLITE_PARAMS = [pytest.param(name, marks=pytest.mark.sqlite, id=name) for name in ("sqlite-file", "sqlite-memory")]
SESSION_FOLDER = pytest.StashKey[Path]()


# --- what tests use ----------------------------------------------------------------------------------------


@pytest.fixture(params=SQLITE_PARAMS + POSTGRES_PARAMS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, not migrated."""
    yield from _new_database(request, request.param, tmp_path, migrated=False)


@pytest.fixture(params=SQLITE_PARAMS[:1] + POSTGRES_PARAMS)
def migrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty, migrated database that several processes can open (so none in memory)."""
    yield from _new_database(request, request.param, tmp_path, migrated=True)


@pytest.fixture(params=POSTGRES_PARAMS)
def postgres_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty PostgreSQL database, not migrated."""
    yield from _new_database(request, request.param, tmp_path, migrated=False)


@pytest.fixture(scope="module", params=POSTGRES_PARAMS)
def postgres_url_of_module(request: pytest.FixtureRequest, databases: Databases) -> Iterator[str]:
    """The URL of one PostgreSQL database for all tests of a module that leave nothing in it."""
    server = databases.postgres(request.param)
    name = server.create(migrated=False)
    yield server.url(name)
    server.drop(name)


@pytest.fixture(params=SQLITE_PARAMS + POSTGRES_PARAMS)
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An open, migrated, empty Database."""
    yield from open_new_database(request, request.param, tmp_path)


@pytest.fixture
def pooled(request: pytest.FixtureRequest, databases: Databases) -> Iterator[Callable[..., PgBouncer]]:
    """Starts a PgBouncer, with settings of its own, that is the test's alone."""
    skip_without_pgbouncer()
    with ExitStack() as running:

        def start(**settings: object) -> PgBouncer:
            bouncer = PgBouncer(databases.newest(), **settings)
            running.callback(bouncer.stop)
            bouncer.start()
            return bouncer

        yield start


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """An open store on an empty database, not migrated."""
    from diglot.stores import open_store
    from diglot.stores.url import parse_url

    with open_store(parse_url(database_url)) as opened:
        yield opened


@pytest.fixture
def own_postgres(request: pytest.FixtureRequest, session_folder: Path) -> Iterator[Callable[[int], PostgresServer]]:
    """Starts a server that is the test's alone, to be stopped, killed and started as it likes."""
    with ExitStack() as servers:

        def start(version: int) -> PostgresServer:
            server = PostgresServer(version, session_folder / f"own-{uuid.uuid4().hex[:8]}")
            server.acquire()
            servers.callback(server.release)
            return server

        yield start


def with_parameters(url: str, **parameters: str) -> str:
    """The URL with these, too: one of a socket has some already, one of a host may have none."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode(parameters, quote_via=quote)}"


# --- how they come to be -----------------------------------------------------------------------------------

MEMORY = "sqlite://:memory:"


class Server(Protocol):
    """A running PostgreSQL on which databases can be made."""

    strategy: str

    def url(self, dbname: str = ...) -> str: ...

    def acquire(self) -> None: ...

    def release(self) -> None: ...


class ExternalServer:
    """A server that somebody else runs; ``address`` is the URL of a user who may create databases."""

    strategy = "wal_log"

    def __init__(self, address: str) -> None:
        self._address = urlsplit(address.strip())

    def url(self, dbname: str = "postgres") -> str:
        return urlunsplit(self._address._replace(path=f"/{dbname}"))

    def acquire(self) -> None:
        pass

    def release(self) -> None:
        pass


class PostgresDatabases:
    """Makes and drops databases on one server."""

    def __init__(self, server: Server, lock: Path) -> None:
        self.server = server
        self._lock = lock
        self._template = f"migrated_{lock.parent.name.replace('-', '_')}"
        self._has_template = False
        self._ended: list[str] = []
        server.acquire()
        try:
            self._connection = psycopg.connect(server.url(), autocommit=True)
        except BaseException:
            server.release()
            raise

    def create(self, migrated: bool) -> str:
        name = f"test_{uuid.uuid4().hex}"
        if migrated:
            self._make_template()
            self._run("create database {} template {} strategy {}", name, self._template, self.server.strategy)
        else:
            self._run("create database {} template template0 strategy {}", name, self.server.strategy)
        return name

    def url(self, name: str) -> str:
        return self.server.url(name)

    def drop(self, name: str) -> None:
        self._run("drop database if exists {} with (force)", name)

    def drop_later(self, name: str) -> None:
        """End its connections, and drop those whose connections were ended before.

        PgBouncer keeps connections; to drop at once would wait 100 ms for them to be gone.
        """
        ended, self._ended = self._ended, [name]
        for gone in ended:
            self.drop(gone)
        self._connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])

    def close(self) -> None:
        for name in self._ended:
            self.drop(name)
        self._connection.close()
        self.server.release()

    def drop_template(self) -> None:
        self.drop(self._template)

    def _make_template(self) -> None:
        if self._has_template:
            return
        with self._lock.open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self._exists(self._template):
                from diglot import statestore

                half_made = f"{self._template}_in_work"
                self.drop(half_made)
                self._run("create database {} template template0", half_made)
                with statestore.open(self.url(half_made), migrate=True):
                    pass
                self._run("alter database {} rename to {}", half_made, self._template)
        self._has_template = True

    def _exists(self, name: str) -> bool:
        found = self._connection.execute("select 1 from pg_database where datname = %s", [name])
        return found.fetchone() is not None

    def _run(self, statement: LiteralString, *names: str) -> None:
        identifiers = map(psycopg.sql.Identifier, names)
        self._connection.execute(psycopg.sql.SQL(statement).format(*identifiers))


class Databases:
    """All kinds of test databases of one worker; servers are started on first need."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._postgres: dict[str, PostgresDatabases] = {}
        self._pgbouncer: PgBouncer | None = None
        self._migrated_file: Path | None = None

    def postgres(self, name: str) -> PostgresDatabases:
        if name not in self._postgres:
            server = postgres_server(name, self._folder)
            self._postgres[name] = PostgresDatabases(server, self._folder / f"{name}.template")
        return self._postgres[name]

    def pgbouncer(self) -> PgBouncer:
        """The one of this worker, in front of the newest server."""
        if self._pgbouncer is None:
            self._pgbouncer = PgBouncer(self.newest())
            self._pgbouncer.start()
        return self._pgbouncer

    def newest(self) -> PostgresServer:
        server = self.postgres(POSTGRES[-1]).server
        assert isinstance(server, PostgresServer)
        return server

    def migrated_file(self, folder: Path) -> Path:
        """A migrated SQLite file, closed, to be copied."""
        if self._migrated_file is None:
            from diglot import statestore

            path = folder / "migrated.db"
            with statestore.open(f"sqlite:///{path}", migrate=True):
                pass
            assert not path.with_name("migrated.db-wal").exists(), "a closed store leaves no write-ahead log"
            self._migrated_file = path
        return self._migrated_file

    def close(self) -> None:
        if self._pgbouncer is not None:
            self._pgbouncer.stop()
        for databases in self._postgres.values():
            databases.close()


def skip_without_pgbouncer() -> None:
    if EXTERNAL:
        pytest.skip("PgBouncer is tested in front of the embedded PostgreSQL, not of DIGLOT_TEST_POSTGRES_URLS")
    if pgbouncer.PROGRAM is None:
        pytest.skip(pgbouncer.MISSING)


def open_new_database(request: Any, kind: str, tmp_path: Path) -> Iterator[Database]:
    """A new, migrated, empty Database of this kind."""
    from diglot import statestore

    for url in _new_database(request, kind, tmp_path, migrated=True):
        with statestore.open(url, migrate=url == MEMORY) as database:
            yield database


def postgres_server(name: str, session_folder: Path) -> Server:
    """The session's server of this name, not yet started."""
    if EXTERNAL:
        return ExternalServer(EXTERNAL[POSTGRES.index(name)])
    return PostgresServer(int(name.removeprefix("postgres-")), session_folder / name)


def stop_servers(session_folder: Path) -> None:
    """At the end of the session, when every worker is gone: wait for the guards, leave nothing behind."""
    for name in POSTGRES:
        server = postgres_server(name, session_folder)
        if isinstance(server, PostgresServer):
            server.wait_until_gone()
        elif (session_folder / f"{name}.template").exists():
            databases = PostgresDatabases(server, session_folder / f"{name}.template")
            databases.drop_template()
            databases.close()
    shutil.rmtree(session_folder, ignore_errors=True)


@pytest.fixture(scope="session")
def session_folder(pytestconfig: pytest.Config) -> Path:
    """The folder that all workers of this session share."""
    return pytestconfig.stash[SESSION_FOLDER]


@pytest.fixture(scope="session")
def databases(session_folder: Path) -> Iterator[Databases]:
    made = Databases(session_folder)
    yield made
    made.close()


def _new_database(request: Any, kind: str, tmp_path: Path, *, migrated: bool) -> Iterator[str]:
    databases: Databases = request.getfixturevalue("databases")
    if kind == "sqlite-memory":
        yield MEMORY
    elif kind == "sqlite-file":
        path = tmp_path / "app.db"
        if migrated:
            folder = request.getfixturevalue("tmp_path_factory").mktemp("template", numbered=True)
            shutil.copyfile(databases.migrated_file(folder), path)
            path.chmod(0o600)
        yield f"sqlite:///{path}"
    else:
        if kind == POOLED:
            skip_without_pgbouncer()
        server = databases.postgres(POSTGRES[-1] if kind == POOLED else kind)
        name = server.create(migrated)
        try:
            yield (databases.pgbouncer() if kind == POOLED else server).url(name)
        finally:
            server.drop_later(name) if kind == POOLED else server.drop(name)
