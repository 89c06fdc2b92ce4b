"""PostgreSQL goes away under load and comes back: nothing acknowledged is lost, nobody waits too long, nobody helps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks.outages.clients import Answer, kept
from benchmarks.outages.measure import WAYS, Load, outage

from diglot.statestore.database import Database
from diglot.statestore.models import WorkflowState
from tests.cli.running import process
from tests.postgres_server import PostgresServer
from tests.statestore.server.client import problem
from tests.statestore.server.service import Service, until

TIMEOUT = 1.0
LOAD = Load(writers=3, readers=1, pause=0.02, before=15, failures=4)


def test_postgresql_is_stopped_and_killed_under_load(
    own_postgres: Callable[[int], PostgresServer], tmp_path: Path
) -> None:
    server = own_postgres(18)
    env = {"DATABASE_URL": server.url()}
    key = process("init", "--admin", "a@b.c", "--format", "json", cwd=tmp_path, env=env).json["key"]
    with Service("--request-timeout", str(TIMEOUT), cwd=tmp_path, env=env) as service:
        _says_so_and_goes_on(server, service, key)
        for way in WAYS:
            seen = outage(server, service.url, key, way, LOAD, timeout=TIMEOUT)
            assert seen.failed >= LOAD.failures
            assert seen.other == 0, "something else than 503, or no answer"
            assert seen.longest < TIMEOUT + 15
            assert seen.kept.acknowledged >= 2 * LOAD.before
            assert seen.kept.lost == 0
        assert service.stop() == 0
        assert key not in "".join(service.raw)


def _says_so_and_goes_on(server: PostgresServer, service: Service, key: str) -> None:
    """503 where the database is needed, 200 where it is not; nothing of the server's words is told."""
    ask, headers = service.http, {"Authorization": f"Bearer {key}"}
    server.stop()
    refused = ask.get("/api/v0/workflows", headers=headers)
    assert problem(refused)[0] == 503
    assert refused.headers["retry-after"] == "1"
    until(lambda: ask.get("/readyz").status_code == 503)
    assert ask.get("/readyz").json()["reasons"][0].startswith("reachable: ")
    assert ask.get("/healthz").status_code == 200
    counted = 'database_errors_total{driver="postgres",kind="database_unavailable"}'
    until(lambda: counted in ask.get("/metrics").text)
    server.start()
    until(lambda: ask.get("/readyz").status_code == 200)
    assert ask.get("/api/v0/workflows", headers=headers).status_code == 200


@pytest.mark.parametrize(("status", "lost", "unknown"), [(201, 1, 0), (503, 0, 1)])
def test_a_write_that_is_gone_counts_as_lost_when_it_was_acknowledged(
    db: Database, status: int, lost: int, unknown: int
) -> None:
    db.workflows.upsert(WorkflowState("w1", "outage", "SUCCESS", input={"number": 1}))
    of = "urn:diglot:problem:outcome-unknown" if status == 503 else ""
    read = Answer(0.3, 0.1, 200, "", "", None)
    answers = [Answer(0.0, 0.1, 201, "", "w1", 1), Answer(0.2, 0.1, status, of, "w1", 2), read]
    found = kept(answers, db)
    assert (found.lost, found.unknown, found.unknown_but_stored) == (lost, unknown, 0)
    assert kept([Answer(0.0, 0.1, 201, "", "nowhere", 1)], db).lost == 1
