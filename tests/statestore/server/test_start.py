"""``diglot start``: settings first, then the database, then requests, and at the end nothing is left behind."""

import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from diglot import statestore
from diglot.statestore.repositories.key_format import make_key
from diglot.statestore.server import run
from tests.cli.running import diglot as command
from tests.statestore.server.service import Service


@pytest.fixture(autouse=True)
def nothing_is_served_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """What should be refused, and is not, ends as a service that did not come up, instead of never."""
    monkeypatch.setattr(run._Server, "run", lambda *_: None)


def test_it_starts_migrates_answers_and_stops_with_exit_code_0(service_url: str, tmp_path: Path) -> None:
    with Service("--database-url", service_url, cwd=tmp_path) as service:
        line = next(line for line in service.lines if line["event"] == "database initialized")
        assert line["driver"] == ("sqlite" if service_url.startswith("sqlite") else "postgres")
        assert line["duration_ms"] > 0
        assert {"path", "mode"} <= set(line) or {"host", "dbname", "mode"} <= set(line)
        assert service.http.get("/readyz").json() == {"ready": True, "reasons": []}
        head = service.http.head("/healthz")
        assert (head.status_code, head.content, int(head.headers["content-length"]) > 0) == (200, b"", True)
        given = service.http.get("/healthz", headers={"X-Request-ID": "mine-1"})
        assert given.headers["X-Request-ID"] == "mine-1"
        assert service.wait_for("request")["path"] == "/readyz"
        assert service.wait_for("request")["method"] == "HEAD"
        assert service.wait_for("request")["request_id"] == "mine-1"
        assert service.stop() == 0
        assert [line["event"] for line in service.lines][-2:] == ["stopping", "stopped"]
    with statestore.open(service_url, auto_migrate=False) as db:
        assert db.users.list().items == []


@pytest.mark.sqlite
def test_without_any_configuration_it_is_the_sqlite_file_of_the_folder(tmp_path: Path) -> None:
    with Service(cwd=tmp_path) as service:
        assert service.http.get("/readyz").status_code == 200
        assert service.stop(signal.SIGINT) == 0
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["app.db", "app.db-gate"]
    with sqlite3.connect(tmp_path / "data" / "app.db") as connection:
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
    connection.close()


def test_without_auto_migrate_it_refuses_a_schema_that_is_behind(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DB_AUTO_MIGRATE", "false")
    done = command("start", "--port", "0", "--database-url", database_url)
    if ":memory:" in database_url:
        assert done.code == 2, "nobody could have a key for it"
        return
    assert done.code == 1
    assert "run 'diglot migrate up'" in done.err.splitlines()[-1]


@pytest.mark.parametrize("automatic", ["true", "false"])
def test_it_refuses_a_schema_that_is_ahead(migrated_url: str, monkeypatch: pytest.MonkeyPatch, automatic: str) -> None:
    monkeypatch.setenv("DB_AUTO_MIGRATE", automatic)
    _pretend_to_be_ahead(migrated_url)
    done = command("start", "--port", "0", "--database-url", migrated_url)
    assert done.code == 1
    assert "the database has 20990101000000_later" in done.err
    assert "diglot migrate status" in done.err


def _pretend_to_be_ahead(url: str) -> None:
    """As if a later version had been here."""
    from diglot.sql.session import Statement

    with statestore.open(url) as db:
        db.store.count(
            Statement(
                "test.ahead",
                "insert into _yoyo_migration (migration_hash, migration_id, applied_at_utc) "
                "values ('x', '20990101000000_later', '2099-01-01 00:00:00')",
                writes=True,
            )
        )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--no-auth", "--host", "0.0.0.0"], "--no-auth would make everybody who reaches 0.0.0.0 an admin"),
        (["--no-auth", "--host", "example.org"], "--no-auth would make everybody who reaches"),
        (["--port", "70000"], "--port 70000 can't be used"),
        (["--request-timeout", "0"], "--request-timeout 0 can't be used"),
        (["--trusted-proxy", "proxy.example.org"], "--trusted-proxy 'proxy.example.org' can't be used"),
        (["--trusted-proxy", "10.0.0.1/8"], "--trusted-proxy '10.0.0.1/8' can't be used"),
        (["--db-driver", "mysql"], "unsupported database driver 'mysql'"),
    ],
)
def test_what_can_not_be_is_refused_before_anything_is_made(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = command("start", *arguments)
    assert done.code == 2
    assert said in done.err
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_leads_elsewhere_is_no_loopback_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    elsewhere = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: elsewhere)
    done = command("start", "--no-auth", "--host", "localhost", "--port", "0")
    assert done.code == 2
    assert "everybody who reaches localhost (192.0.2.1) an admin" in done.err
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken_is_told_and_no_database_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = command("start", "--port", str(port))
    assert done.code == 2
    assert f"can't listen on 127.0.0.1:{port}: address already in use" in done.err
    assert list(tmp_path.iterdir()) == []


def test_who_is_second_at_a_port_is_told_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two who start at once can both take the address; only one can listen."""
    monkeypatch.chdir(tmp_path)
    open_database = run.open_database
    with socket.socket() as first:
        first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        first.bind(("127.0.0.1", 0))
        port = first.getsockname()[1]
        monkeypatch.setattr(run, "open_database", lambda *a: first.listen() or open_database(*a))
        done = command("start", "--port", str(port))
    assert done.code == 2
    assert done.err.splitlines()[-1].startswith(f"diglot: can't listen on 127.0.0.1:{port}: address already in use")


def test_a_service_that_does_not_come_up_is_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = command("start", "--port", "0")
    assert (done.code, done.err.splitlines()[-1]) == (1, "diglot: the service could not start: the log says why")


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("enabled = true", "knowledge.enabled is true, but knowledge.vector_dbs is empty"),
        (
            'enabled = true\n[[knowledge.vector_dbs]]\nid = "docs"\nprovider = "pgvector"\ndimension = 3',
            "knowledge.vector_dbs[0].provider: pgvector ('docs') needs PostgreSQL",
        ),
    ],
)
def test_sqlite_keeps_no_vectors_itself(
    section: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("diglot.toml").write_text(f"[knowledge]\n{section}\n")
    done = command("start", "--port", "0")
    assert done.code == 2
    assert said in done.err
    assert all(name in done.err for name in ("Qdrant", "Redis", "Filesystem"))
    assert [path.name for path in tmp_path.iterdir()] == ["diglot.toml"]


def test_a_database_that_is_not_there_ends_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DB_PASSWORD", "secret-canary")
    done = command("start", "--port", "0", "--database-url", "postgresql://u@127.0.0.1:1/x")
    assert done.code == 3
    assert "can't reach PostgreSQL" in done.err
    assert "secret-canary" not in done.err


def test_the_extra_is_named_where_it_is_missing() -> None:
    code = (
        "import sys; sys.modules['litestar'] = None;"
        "from diglot.cli.main import main; sys.exit(main(['start', '--port', '0']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'diglot[server]'" in done.stderr


def test_a_client_is_known_by_its_address_before_a_proxy_that_is_trusted(tmp_path: Path) -> None:
    with Service("--trusted-proxy", "127.0.0.1", "--failures-per-minute", "1", cwd=tmp_path) as service:

        def ask(forwarded: str) -> int:
            headers = {"Authorization": f"Bearer {make_key(bytes(32))}", "X-Forwarded-For": forwarded}
            return service.http.get("/api/v0/auth/me", headers=headers).status_code

        # What stands left of the address that the proxy saw, the client made up.
        assert [ask("10.0.0.1"), ask("10.9.9.9, 10.0.0.1"), ask("10.0.0.2")] == [401, 429, 401]
        assert service.wait_for("request")["client"] == "10.0.0.1"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_requests_in_flight_end_before_it_stops(number: signal.Signals, tmp_path: Path) -> None:
    """A request whose body comes slowly is under way when the service is told to stop, and is answered all the same."""
    with Service(cwd=tmp_path) as service:
        address = urlsplit(service.url)
        with socket.create_connection((address.hostname, address.port)) as slow:
            slow.sendall(b"PUT /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n")
            assert service.http.get("/healthz").status_code == 200
            service.process.send_signal(number)
            slow.settimeout(20)
            assert slow.recv(1000).startswith(b"HTTP/1.1 405")
        assert service.ended() == 0
        assert "Traceback" not in "".join(service.raw)
