"""The two deployments, from an empty folder with the real program; and a SQLite file that goes away and comes back."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from diglot import statestore
from diglot.statestore.models import WorkflowState
from tests.cli.running import process
from tests.statestore.server.service import Service, until


def test_a_deployment_from_an_empty_folder_keeps_what_it_was_given(service_url: str, tmp_path: Path) -> None:
    """SQLite needs no configuration at all, PostgreSQL only DATABASE_URL."""
    env = {"DATABASE_URL": service_url} if service_url.startswith("postgres") else {}
    folder = tmp_path / "empty"
    folder.mkdir()
    with Service(cwd=folder, env=env) as service:
        until(lambda: service.http.get("/readyz").status_code == 200)
        seeded = process("quickstart", "--format", "json", cwd=folder, env=env)
        assert seeded.code == 0, seeded.err
        headers = {"Authorization": f"Bearer {seeded.json['key']}"}
        assert service.http.get("/api/v0/auth/me", headers=headers).json()["role"] == "admin"
        at = f"/api/v0/workflows/{seeded.json['workflow']['workflow_exec_id']}"
        run = service.http.get(at, headers=headers)
        tree = service.http.get(f"{at}/tree", headers=headers).json()
        assert (run.json()["status"], tree["truncated"]) == ("SUCCESS", False)
        assert len(tree["nodes"]) > 10
        assert service.stop() == 0
        assert seeded.json["key"] not in "".join(service.raw)
    with Service(cwd=folder, env=env) as service:
        again = service.http.get(at, headers=headers)
        assert (again.json(), again.headers["etag"]) == (run.json(), run.headers["etag"])
        assert service.http.get(f"{at}/tree", headers=headers).json() == tree
        assert service.http.get("/api/v0/auth/me").status_code == 401
        assert service.stop() == 0


def test_health_answers_while_every_thread_waits_for_the_database(service_url: str, tmp_path: Path) -> None:
    env = {"DATABASE_URL": service_url, "DB_POOL_MAX": "2"}
    key = process("init", "--admin", "a@b.c", "--format", "json", cwd=tmp_path, env=env).json["key"]
    headers = {"Authorization": f"Bearer {key}"}
    state = WorkflowState("w1", "flow", "RUNNING")
    threads = 6 if service_url.startswith("sqlite") else 1
    with (
        Service(cwd=tmp_path, env=env) as service,
        statestore.open(service_url) as db,
        ThreadPoolExecutor(10) as clients,
    ):
        body = {"workflow_id": "flow", "status": "SUCCESS"}
        with db.transaction() as tx:
            tx.workflows.upsert(state)
            asked = [
                clients.submit(service.http.put, "/api/v0/workflows/w1", json=body, headers=headers)
                for _ in range(threads + 3)
            ]
            until(lambda: _in_progress(service) > threads + 3)
            for path in ("/readyz", "/health", "/healthz"):
                started = time.monotonic()
                assert service.http.get(path).status_code == 200
                assert time.monotonic() - started < 10
            assert not any(one.done() for one in asked)
        assert {one.result().status_code for one in asked} == {200}
        assert service.stop() == 0


def _in_progress(service: Service) -> float:
    text = service.http.get("/metrics").text
    return float(re.findall(r"^http_requests_in_progress ([0-9.]+)$", text, re.MULTILINE)[0])


def test_a_sqlite_file_goes_away_and_comes_back(tmp_path: Path) -> None:
    with Service(cwd=tmp_path) as service:
        assert service.http.get("/readyz").status_code == 200
        folder, aside = tmp_path / "data", tmp_path / "aside"
        folder.rename(aside)
        unready = until(lambda: _not_ready(service.http))
        assert "was removed or replaced" in unready["reasons"][0]
        assert str(tmp_path) not in str(unready)
        aside.rename(folder)
        until(lambda: service.http.get("/readyz").status_code == 200)
        assert service.stop() == 0


def _not_ready(http: httpx.Client) -> Any:
    answer = http.get("/readyz")
    return answer.json() if answer.status_code == 503 else None
