"""Health answers in time, whatever the database does, and asking often costs the database nothing."""

from __future__ import annotations

import resource
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from diglot.statestore.database import Database
from diglot.statestore.repositories.workflows import WorkflowRepository
from diglot.stores.store import Check, Health
from tests.statestore.server.client import Client, key_of, problem, serving
from tests.statestore.server.service import Service, until


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch, db: Database) -> Iterator[list[bool]]:
    """A database that does not answer until the test ends; the looks at it."""
    go, looks = threading.Event(), []

    def look(_: Any, *, deep: bool = True) -> Health:
        looks.append(deep)
        go.wait(30)
        return Health(False, [])

    with monkeypatch.context() as patch:
        patch.setattr(type(db.store), "health", look)
        yield looks
        go.set()


def test_a_database_that_does_not_answer_is_not_ready_and_is_asked_once(db: Database, stuck: list[bool]) -> None:
    with serving(db, probe_timeout=0.05) as http:
        for _ in range(3):
            answer = http.get("/readyz")
            assert (answer.status_code, answer.json()["ready"]) == (503, False)
            assert answer.json()["reasons"] == ["reachable: the database did not answer within 0.05 s"]
        assert http.get("/health").status_code == 503
        assert http.get("/healthz").status_code == 200
        assert stuck == [False, True]


def test_a_finding_is_good_for_a_while(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    look, looks = type(db.store).health, []
    monkeypatch.setattr(type(db.store), "health", lambda *a, **k: looks.append(1) or look(*a, **k))
    with serving(db, probe_age=3600.0) as http:
        assert {http.get("/readyz").status_code for _ in range(3)} == {200}
        assert looks == [1]
    with serving(db, probe_age=0.0) as http:
        assert {http.get("/readyz").status_code for _ in range(2)} == {200}
        assert looks == [1, 1, 1]


def test_a_database_that_is_behind_or_ill_is_not_ready(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(db, probe_age=0.0) as http:
        db.migrator().down(1)
        answer = http.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["reasons"] == ["migrated: 1 pending: run 'diglot migrate up'"]
        db.migrate()
        assert http.get("/readyz").status_code == 200
        ill = Health(False, [Check("reachable", True, "", 0.1), Check("disk_space", False, "0.0 GiB free", 0.12345)])
        monkeypatch.setattr(type(db.store), "health", lambda *_, **__: ill)
        assert http.get("/readyz").json()["reasons"] == ["disk_space: 0.0 GiB free"]
        report = http.get("/health")
        assert report.status_code == 503
        assert [check["milliseconds"] for check in report.json()["checks"][:2]] == [0.1, 0.123]


def test_a_request_that_takes_too_long_is_answered_all_the_same(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    monkeypatch.setattr(WorkflowRepository, "delete", lambda *_: go.wait(30))
    with serving(db, request_timeout=1.0) as http:
        ask = Client(http, key_of(db, "ada@example.org"))
        late = ask("DELETE", "/workflows/w1")
        assert problem(late)[:2] == (503, "timed-out")
        assert late.headers["retry-after"] == "1"
        go.set()


def test_a_service_that_can_not_write_is_not_ready_until_it_can(tmp_path: Path) -> None:
    """A real limit on the size of its files, as a full disk would be, set and lifted while it runs."""
    unlimited = resource.RLIM_INFINITY
    with Service("--no-auth", "--db-path", str(tmp_path / "app.db"), cwd=tmp_path) as service:

        def ready() -> tuple[int, list[str]]:
            answer = service.http.get("/readyz")
            return answer.status_code, answer.json()["reasons"]

        def put(number: int) -> httpx.Response:
            body = {"workflow_id": "flow", "status": "RUNNING", "input": {"text": "x" * 100_000}}
            return service.http.put(f"/api/v0/workflows/w{number}", json=body)

        assert put(0).status_code in (200, 201)
        assert ready() == (200, [])
        resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (100_000, unlimited))
        until(lambda: ready()[0] == 503)
        refused = [put(number) for number in range(1, 9)][-1]
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:diglot:problem:database-full")
        [reason] = ready()[1]
        assert reason.startswith("writable: a file of the database has reached this process's limit of")
        assert str(tmp_path) not in reason
        assert service.http.get("/api/v0/workflows/w0").status_code == 200, "it still reads"
        assert service.http.get("/healthz").status_code == 200
        resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))
        until(lambda: ready() == (200, []))
        assert put(1).status_code in (200, 201)
