"""/metrics, measured where statements pass, and the advice that the log gives."""

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from litestar.testing import TestClient
from prometheus_client.parser import text_string_to_metric_families

from diglot import statestore
from diglot.errors import DatabaseUnavailable
from diglot.sql.session import Statement
from diglot.statestore.config import Config
from diglot.statestore.database import Database, packaged_queries
from diglot.statestore.models import WorkflowState
from diglot.statestore.server import advice
from diglot.statestore.server.measured import MeasuredStore
from diglot.statestore.server.metrics import Metrics
from diglot.statestore.server.settings import ServerSettings
from diglot.stores.settings import PostgresSettings, SQLiteSettings
from diglot.stores.statistics import STATISTICS
from tests.statestore.server.client import Client, problem, serving
from tests.statestore.server.service import Service, until

WANTED = """
database_query_duration_seconds driver operation query
database_query driver operation query status
database_connection_pool_active driver
database_connection_pool_size driver
database_connection_pool_waiting driver
database_connection_pool_wait_seconds driver
database_lock_wait_seconds driver
database_errors driver kind
auth_attempts outcome
http_requests method route status
http_request_duration_seconds method route
http_requests_in_progress
"""
OF_SQLITE = """
database_sqlite_wal_size_bytes
database_sqlite_page_count
database_sqlite_file_size_bytes
sqlite_wal_reset_safe
"""


def read(http: TestClient[Any]) -> dict[str, Any]:
    """The families of metrics by name."""
    response = http.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {family.name: family for family in text_string_to_metric_families(response.text)}


def value(families: dict[str, Any], sample: str, **labels: str) -> float:
    found = [
        s.value for f in families.values() for s in f.samples if s.name == sample and labels.items() <= s.labels.items()
    ]
    return sum(found)


def test_every_metric_has_its_name_and_its_labels(db: Database, user: Client, admin: Client) -> None:
    user.put_workflow()
    user("POST", "/workflows/w1/complete")
    assert problem(admin("POST", "/users", json={"email": "ada@example.org"}))[0] == 409
    families = read(user.http)
    for line in (WANTED + (OF_SQLITE if db.store.dialect == "sqlite" else "")).split("\n"):
        if line:
            name, *labels = line.split()
            assert name in families, name
            for sample in families[name].samples:
                assert sorted(set(sample.labels) - {"le"}) == sorted(labels), sample
    assert (
        value(families, "database_query_total", query="workflows.upsert_workflow", operation="write", status="ok") == 1
    )
    assert value(families, "database_errors_total", kind="unique_violation") == 1
    assert value(families, "database_lock_wait_seconds_count") >= 1
    assert value(families, "auth_attempts_total", outcome="success") == 3
    assert value(families, "http_requests_total", method="PUT", route="/api/v0/workflows/{exec_id}", status="201") == 1
    if db.store.dialect == "sqlite":
        assert value(families, "database_sqlite_file_size_bytes") > 0


def test_every_figure_of_the_store_is_a_metric_of_the_same_name(db: Database, user: Client) -> None:
    found = db.store.statistics()
    text = user.http.get("/metrics").text
    for name in found:
        assert f"# HELP {name} {STATISTICS[name].help}\n" in text
        labels = f'{{driver="{db.store.dialect}"}}' if STATISTICS[name].by_driver else ""
        assert f"\n{name}{labels} " in text
    only_sqlite = {name for name, declared in STATISTICS.items() if not declared.by_driver}
    if db.store.dialect == "sqlite":
        assert only_sqlite <= set(found)
    else:
        assert set(STATISTICS) - only_sqlite == set(found)


def test_what_clients_send_becomes_no_label(user: Client) -> None:
    user("GET", "/nothing/canary")
    user("CANARY", "/workflows")
    user("GET", "/workflows/canary")
    user("GET", "/auth/me", key="canary")
    text = user.http.get("/metrics").text
    assert "canary" not in text.lower()
    queries = {sample.labels["query"] for sample in read(user.http)["database_query"].samples}
    assert queries <= {query.source.full_name for query in packaged_queries("sqlite")}
    assert value(read(user.http), "auth_attempts_total", outcome="failure") == 1


def test_a_client_that_goes_away_is_no_error(user: Client, said: list[Any]) -> None:
    headers = [
        (b"host", b"localhost"),
        (b"authorization", f"Bearer {user.key}".encode()),
        (b"content-type", b"application/json"),
    ]
    path = "/api/v0/workflows/w1"
    scope = {"type": "http", "http_version": "1.1", "method": "PUT", "scheme": "http", "path": path, "root_path": ""}
    scope |= {"raw_path": path.encode(), "query_string": b"", "headers": headers, "client": ("127.0.0.1", 1)}
    scope |= {"server": ("127.0.0.1", 80), "extensions": {}, "state": {}, "asgi": {"version": "3.0"}}
    messages = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    sent = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(user.http.app(scope, receive, send))
    assert sent == []
    assert [(line["event"], line.get("status")) for line in said] == [("request", None)]
    assert value(read(user.http), "http_requests_total", method="PUT", status="none") == 1


def test_the_metrics_answer_while_the_database_does_not(db: Database, user: Client) -> None:
    db.close()
    families = read(user.http)
    assert "database_connection_pool_active" not in families or db.store.dialect == "postgres"
    assert "auth_attempts" in families


def test_the_metrics_answer_in_time_whatever_the_database_does(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    monkeypatch.setattr(type(db.store), "statistics", lambda _: go.wait(30))
    with serving(db, probe_timeout=0.05) as http:
        families = read(http)
        go.set()
    assert "auth_attempts" in families
    assert "database_connection_pool_active" not in families


def test_figures_need_a_key_where_others_can_ask_for_them(db: Database) -> None:
    for reached in ({"host": "0.0.0.0"}, {"trusted_proxies": ("127.0.0.1",)}):
        with serving(db, **reached) as http:
            for path in ("/metrics", "/health"):
                assert problem(http.get(path))[0] == 401
            for path in ("/healthz", "/readyz"):
                assert http.get(path).status_code == 200


def test_a_session_that_is_measured_does_what_it_did(db: Database) -> None:
    measured = Database(MeasuredStore(db.store, Metrics(db.store.dialect)), db.queries, clock=db._context.clock)
    with measured.transaction() as tx:
        tx.workflows.upsert(WorkflowState("w1", "flow", "RUNNING"))
        with tx.transaction() as inner:
            inner.workflows.update_status("w1", "FAILED")
    assert measured.workflows.get("w1").status == "FAILED"
    assert measured.workflows.list(with_tasks=True).items[0].tasks == {}
    store = measured.store
    assert (store.server_version, store.location) == (db.store.server_version, db.store.location)
    store.script(Statement("test.script", "create table t (x int); insert into t values (1)", writes=True))
    text = "insert into t values (?)" if db.store.dialect == "sqlite" else "insert into t values ($1)"
    assert store.many(Statement("test.many", text, writes=True), [(2,), (3,)]) == 2
    assert store.columns(Statement("test.columns", "select x from t order by x")) == (["x"], [(1,), (2,), (3,)])
    assert store.together([]) == []
    assert measured.migrate() == []
    assert measured.health().ok
    with measured:
        pass


@pytest.fixture
def said() -> Any:
    with structlog.testing.capture_logs() as lines:
        yield lines


def test_more_than_ten_workflows_at_once_on_sqlite_is_told_once_an_hour(db: Database, said: list[Any]) -> None:
    if db.store.dialect != "sqlite":
        return
    now = [0.0]
    watch = advice.Watch(db, lambda: now[0])
    for number in range(11):
        watch.look()
        assert said == []
        db.workflows.upsert(WorkflowState(f"w{number}", "flow", "RUNNING"))
    for now[0] in (0.0, 3599.0, 3600.0):
        watch.look()
    assert [line["event"] for line in said] == ["many workflows at once on SQLite"] * 2
    assert "PostgreSQL" in said[0]["advice"]
    db.close()
    watch.look()


def test_a_file_that_can_not_be_looked_at_ends_no_watch(tmp_path: Path, said: list[Any]) -> None:
    folder = tmp_path / "data"
    with statestore.open(str(folder / "app.db")) as db:
        folder.rename(tmp_path / "aside")
        folder.touch()
        with pytest.raises(DatabaseUnavailable, match="Not a directory"):
            db.store.statistics()
        advice.Watch(db).look()
        folder.unlink()
        (tmp_path / "aside").rename(folder)
    assert said == []


def test_a_write_ahead_log_that_a_reader_keeps_from_being_emptied_is_told(said: list[Any], tmp_path: Path) -> None:
    path = str(tmp_path / "app.db")
    with statestore.open(path) as db, statestore.open(path) as other, other.store.snapshot() as reader:
        reader.rows(Statement("test.read", "select 1 from users"))
        watch = advice.Watch(db)
        watch.look()
        assert said == []
        db.store.count(Statement("test.make", "create table large as select zeroblob(67108864) as x", writes=True))
        watch.look()
        watch.look()
    assert [line["event"] for line in said] == ["the write-ahead log is large"]
    assert said[0]["bytes"] > 64 * 2**20


def test_a_large_file_is_told(said: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    with statestore.open(str(path)) as db:
        os.truncate(path, 2**30 + 4096)  # a hole: nothing is written
        watch = advice.Watch(db)
        watch.look()
        watch.look()
    assert [(line["event"], line["bytes"]) for line in said] == [("the database file is large", 2**30 + 4096)]


def test_the_service_looks_by_itself(tmp_path: Path) -> None:
    """The real program: what the settings tell, and what is seen in the database."""
    with statestore.open(str(tmp_path / "app.db")) as db:
        for number in range(11):
            db.workflows.upsert(WorkflowState(f"w{number}", "flow", "RUNNING"))
    arguments = ["--db-driver", "sqlite", "--db-path", "app.db", "--no-auth", "--concurrent-workflows", "11"]
    with Service(*arguments, cwd=tmp_path) as service:
        until(lambda: any("running" in line for line in service.lines))
        told = [line for line in service.lines if line["level"] == "warning"]
        assert [line["event"] for line in told] == ["authentication is off", *["many workflows at once on SQLite"] * 2]
        assert (told[1]["expected"], told[2]["running"]) == (11, "more than 10")
        assert service.stop() == 0


REMOTE = PostgresSettings(host="db.example.org", dbname="x")


@pytest.mark.parametrize(
    ("database", "settings", "event"),
    [
        (SQLiteSettings(path="x"), ServerSettings(), None),
        (SQLiteSettings(path="x"), ServerSettings(auth=False), "authentication is off"),
        (SQLiteSettings(path="x"), ServerSettings(concurrent_workflows=11), "many workflows at once on SQLite"),
        (SQLiteSettings(path="x"), ServerSettings(host="192.0.2.1"), "SQLite serves a public address"),
        (REMOTE, ServerSettings(host="192.0.2.1"), None),
        (SQLiteSettings(path="x"), ServerSettings(concurrent_workflows=10), None),
        (REMOTE, ServerSettings(concurrent_workflows=11), None),
        (
            msgspec.structs.replace(REMOTE, ssl_mode="require"),
            ServerSettings(),
            "the connection to the database can be",
        ),
        (msgspec.structs.replace(REMOTE, ssl_mode="verify-full"), ServerSettings(), None),
        (PostgresSettings(host="127.0.0.1", ssl_mode="disable"), ServerSettings(), None),
        (PostgresSettings(host="127.0.0.1,localhost", ssl_mode="disable"), ServerSettings(), None),
        (
            PostgresSettings(host="localhost", options={"hostaddr": "10.0.0.1"}, ssl_mode="verify-ca"),
            ServerSettings(),
            "the connection to the database can be",
        ),
        (PostgresSettings(host="/run/postgresql", ssl_mode="disable"), ServerSettings(), None),
    ],
)
def test_the_settings_are_looked_at(
    database: Any, settings: ServerSettings, event: str | None, said: list[Any]
) -> None:
    advice.at_start(Config(database=database), settings)
    assert [line["event"].startswith(event or "") for line in said] == ([True] if event else [])


def test_an_outage_is_counted(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = Metrics(db.store.dialect)
    measured = MeasuredStore(db.store, metrics)

    def gone(*_: object) -> None:
        raise DatabaseUnavailable

    monkeypatch.setattr(type(db.store), "transaction", gone)
    with pytest.raises(DatabaseUnavailable), measured.transaction():
        pass
    assert b'kind="database_unavailable"} 1.0' in metrics.text()
