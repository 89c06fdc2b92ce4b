"""The promises of the test databases themselves: real, fresh, shared by the workers, gone afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.databases import Databases
from tests.postgres_server import PostgresServer

# They are about the servers: nothing of them depends on the SQLite library.
pytestmark = [pytest.mark.postgres, pytest.mark.once]

SESSION_THAT_WAITS = """
import os, time
from pathlib import Path
import psycopg, pytest

@pytest.mark.parametrize("number", range(2))
def test_use_postgres(postgres_url, session_folder, number):
    with psycopg.connect(postgres_url) as connection:
        port = connection.execute("show data_directory").fetchone()[0]
    here = Path(__file__).parent
    written = here / f"writing-{number}"
    written.write_text(port)
    written.rename(here / f"using-{number}")
    while not (here / "end").exists():
        time.sleep(0.01)
"""


def test_each_test_has_an_empty_database_of_its_own(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        tables = connection.execute("select count(*) from pg_tables where schemaname = 'public'").fetchone()
        assert tables == (0,)
        connection.execute("create table public.left_behind (x int)")


def test_a_server_has_the_version_of_its_name(request: pytest.FixtureRequest, postgres_url: str) -> None:
    name = request.node.callspec.id
    with psycopg.connect(postgres_url) as connection:
        major = connection.info.server_version // 10000
    assert name.startswith("postgres-external") or name == f"postgres-{major}"


def test_a_database_is_dropped_although_somebody_is_connected(
    request: pytest.FixtureRequest, databases: Databases, postgres_url: str
) -> None:
    server = databases.postgres(request.node.callspec.id)
    name = server.create(migrated=False)
    with psycopg.connect(server.url(name)) as connection:
        server.drop(name)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(server.url(name))


def test_an_own_server_can_be_killed_and_started_again(own_postgres: Callable[[int], PostgresServer]) -> None:
    server = own_postgres(18)
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("create table kept (x int)")
    server.kill()
    server.start()
    with psycopg.connect(server.url()) as connection:
        assert connection.execute("select count(*) from kept").fetchone() == (0,)


@pytest.mark.parametrize("end", [None, signal.SIGKILL], ids=str)
def test_workers_share_a_server_that_ends_with_the_session(end: signal.Signals | None, tmp_path: Path) -> None:
    project = Path(__file__).parent.parent
    (tmp_path / "test_waits.py").write_text(SESSION_THAT_WAITS)
    (tmp_path / "conftest.py").write_text("pytest_plugins = ['tests.conftest']")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "xdist", "-n2", "-k", "postgres-16"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV", "DIGLOT_TEST"))}
    session = subprocess.Popen(
        [*command, "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=tmp_path,
        env={
            **environment,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONPATH": os.pathsep.join([str(project), *sys.path]),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        both = _wait(lambda: len(list(tmp_path.glob("using-*"))) == 2 or session.poll() is not None)
        used = {Path(path.read_text()) for path in tmp_path.glob("using-*")}
        assert both, "both workers use PostgreSQL"
        assert len(used) == 1, "two workers, one server"
        (data,) = used
        assert (data / "postmaster.pid").exists()
        if end is not None:
            session.send_signal(end)
        (tmp_path / "end").touch()
        output, _ = session.communicate(timeout=180)
        if end is None:
            assert session.returncode == 0, output.decode()
        assert _wait(lambda: not data.parent.parent.exists()), "a folder is left"
        assert _wait(lambda: str(data) not in _command_lines()), "the server still runs"
    finally:
        session.kill()
        session.wait()


def _wait(condition: Callable[[], bool], seconds: float = 120.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _command_lines() -> str:
    return subprocess.run(["ps", "-Ao", "args"], capture_output=True, text=True, check=True).stdout
