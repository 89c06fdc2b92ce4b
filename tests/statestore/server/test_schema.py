"""The description is what the service does: schemathesis asks whatever it allows, and what it does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from diglot import statestore
from diglot.statestore.models import TaskState, WorkflowState
from diglot.statestore.server.openapi.examples import RUN, TASK
from tests.cli.running import diglot as diglot_command
from tests.statestore.server.client import Client
from tests.statestore.server.conftest import BOTH
from tests.statestore.server.service import Service

# Not asked: whether all that the description allows is taken; some rules (a real e-mail address) have no schema.
SCHEMATHESIS = [sys.executable, "-m", "schemathesis.cli", "run"]
OPTIONS = ["--exclude-checks", "positive_data_acceptance", "--workers", "1", "--request-timeout", "60", "--no-color"]
SYSTEMATIC = ["--phases", "coverage"]
BY_CHANCE = ["--phases", "fuzzing", "--max-examples"]
SQLITE, POSTGRES = BOTH
# The systematic phase is long, and what it finds does not depend on the database. Without a key, a request does not
# come as far as the database.
RUNS = [
    pytest.param(SQLITE.values[0], True, SYSTEMATIC, marks=SQLITE.marks, id="sqlite-file-systematic"),
    pytest.param(POSTGRES.values[0], True, [*BY_CHANCE, "5"], marks=POSTGRES.marks, id=f"{POSTGRES.id}-by chance"),
    pytest.param(SQLITE.values[0], False, [*BY_CHANCE, "1"], marks=SQLITE.marks, id="sqlite-file-no key"),
]


@pytest.mark.once
@pytest.mark.parametrize(("service_url", "keyed", "phases"), RUNS, indirect=["service_url"])
def test_nothing_is_answered_that_is_not_described(
    service_url: str, tmp_path: Path, keyed: bool, phases: list[str]
) -> None:
    key = diglot_command("init", "--admin", "a@b.c", "--format", "json", "--database-url", service_url).json["key"]
    # With a key that it must not revoke: every request after that would be 401.
    more = ["-H", f"Authorization: Bearer {key}", "--exclude-path", "/api/v0/auth/keys/{id}"] if keyed else []
    # Without one, as behind a proxy: then /health and /metrics are not for everybody either.
    proxy = [] if keyed else ["--trusted-proxy", "127.0.0.1"]
    with statestore.open(service_url) as db:
        db.workflows.upsert(WorkflowState(RUN, "nightly-report", "RUNNING"))
        db.tasks.upsert(TaskState(RUN, TASK, "fetch", "nightly-report", "task", "RUNNING"))
    env = {"DATABASE_URL": service_url}
    with Service("--failures-per-minute", "100000", *proxy, cwd=tmp_path, env=env) as service:
        done = subprocess.run(
            [*SCHEMATHESIS, f"{service.url}/schema", *phases, *OPTIONS, *more],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        statuses = {line["status"] for line in service.lines if line["event"] == "request"}
        assert not [status for status in statuses if status >= 500]
        # What is asked by chance need not hit anything that can be created or deleted.
        expected = {401} if not keyed else {200, 201, 204} if phases is SYSTEMATIC else {200}
        assert expected <= statuses


def test_the_description_is_openapi_3_1_with_examples(memory: Client) -> None:
    found: dict[str, Any] = memory.http.get("/schema").json()
    assert found["openapi"].startswith("3.1")
    operations = [(path, method) for path, item in found["paths"].items() for method in item if method in METHODS]
    assert len(operations) == 28
    assert len({found["paths"][path][method]["operationId"] for path, method in operations}) == 28
    for path, method in operations:
        operation = found["paths"][path][method]
        assert operation["summary"]
        for parameter in operation.get("parameters", []):
            assert parameter["description"], parameter
            assert parameter["in"] != "path" or parameter["examples"], parameter
        if path.startswith("/api/v0"):
            assert "WWW-Authenticate" in operation["responses"]["401"]["headers"]
            assert "Retry-After" in operation["responses"]["429"]["headers"]
            assert operation["security"] == [{"key": []}]
            assert {"400", "401", "429", "503"} <= set(operation["responses"])
            problem = operation["responses"]["401"]["content"]
            assert list(problem) == ["application/problem+json"]
    put = found["paths"]["/api/v0/workflows/{exec_id}"]["put"]["responses"]
    assert set(put["201"]["headers"]) == {"ETag", "Location"}
    assert set(put["200"]["headers"]) == {"ETag"}
    assert set(found["paths"]["/api/v0/users"]["get"]["responses"]["200"]["headers"]) == {"Link"}
    for name, schema in found["components"]["schemas"].items():
        assert schema.get("examples") or "enum" in schema, f"{name} has no example"


METHODS = {"get", "put", "post", "patch", "delete"}
