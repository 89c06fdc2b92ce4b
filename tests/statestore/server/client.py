"""The application in this process, on an open database, and somebody who asks it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from httpx import Response
from litestar.testing import TestClient

from diglot.database import utc_now
from diglot.statestore.database import Database
from diglot.statestore.models import Role
from diglot.statestore.server.app import create_app
from diglot.statestore.server.measured import MeasuredStore
from diglot.statestore.server.metrics import Metrics
from diglot.statestore.server.settings import ServerSettings


class Client:
    """Asks with a key, or without one."""

    def __init__(self, http: TestClient[Any], key: str | None = None) -> None:
        self.http = http
        self.key = key

    def __call__(self, method: str, path: str, *, key: str | None = None, **how: Any) -> Response:
        secret = key or self.key
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        return self.http.request(method, f"/api/v0{path}", headers=headers | how.pop("headers", {}), **how)

    def put_workflow(self, exec_id: str = "w1", status: str = "RUNNING", **more: Any) -> Response:
        headers = more.pop("headers", {})
        body = {"workflow_id": "flow", "status": status, **more}
        return self("PUT", f"/workflows/{exec_id}", json=body, headers=headers)

    def put_task(self, task_exec_id: str, exec_id: str = "w1", status: str = "SUCCESS", **more: Any) -> Response:
        headers = more.pop("headers", {})
        body = {"workflow_exec_id": exec_id, "task_id": task_exec_id, "workflow_id": "flow", "component": "task"}
        return self("PUT", f"/tasks/{task_exec_id}", json={**body, "status": status, **more}, headers=headers)


@contextmanager
def serving(db: Database, **settings: Any) -> Iterator[TestClient[Any]]:
    """The application of this database."""
    metrics = Metrics(db.store.dialect)
    measured = Database(MeasuredStore(db.store, metrics), db.queries, clock=utc_now)
    metrics.watch(measured.store)
    app = create_app(measured, ServerSettings(**settings), metrics)
    with TestClient(app, raise_server_exceptions=False) as http:
        yield http


def key_of(db: Database, email: str, role: Role = "user") -> str:
    """A key of a new user."""
    return db.api_keys.issue(db.users.create(email, role).id).secret


def problem(response: Response) -> tuple[int, str, str]:
    """Status, kind and path of a problem; fails for anything else."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    found = response.json()
    assert found["status"] == response.status_code
    assert found["title"]
    assert found["request_id"] == response.headers["x-request-id"]
    kind = found["type"].removeprefix("urn:diglot:problem:")
    assert kind != found["type"]
    return response.status_code, kind, found.get("path", "")
