"""What clients with an ordinary key can make the service hold: it stays small, and others are answered.

Each attack took gigabytes before there were limits. The service is a process of its own, and its peak is what Linux
says.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from diglot import statestore
from diglot.statestore import WorkflowState
from tests.statestore.server.service import Service, until

MOST = 400_000_000
LARGE = "x" * 8_000_000


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with Service("--no-auth", "--database-url", f"sqlite:///{tmp_path}/app.db", cwd=tmp_path) as running:
        yield running
        assert running.stop() == 0


def peak(service: Service) -> int:
    """The largest resident size so far, in bytes."""
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]


def put(service: Service, number: int, body: bytes) -> httpx.Response:
    headers = {"Content-Type": "application/json"}
    with httpx.Client(base_url=service.url, timeout=120, trust_env=False) as client:
        return client.put(f"/api/v0/workflows/w{number}", content=body, headers=headers)


def test_bodies_of_millions_of_values_are_refused(service: Service) -> None:
    body = b'{"workflow_id": "f", "status": "RUNNING", "input": {"a": [' + b"{}," * 3_200_000 + b"{}]}}"
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda number: put(service, number, body), range(8)))
    for answer in answers:
        assert answer.status_code in (413, 503), answer.text
        if answer.status_code == 413:
            assert "more than 100,000 values" in answer.json()["detail"]
        else:
            assert answer.headers["retry-after"]
    assert 413 in {answer.status_code for answer in answers}
    assert peak(service) < MOST


def test_a_text_with_many_commas_is_no_body_of_many_values(service: Service) -> None:
    body = {"workflow_id": "f", "status": "RUNNING", "input": {"csv": 'a,"b",[c]\n' * 200_000}}
    assert put(service, 1, json.dumps(body).encode()).status_code == 201


def test_a_page_ends_before_it_has_too_many_bytes_and_all_are_found(service: Service, tmp_path: Path) -> None:
    with statestore.open(f"sqlite:///{tmp_path}/app.db") as db:
        for number in range(30):
            text = LARGE if number % 3 else "small"
            db.workflows.upsert(WorkflowState(f"w{number}", "f", "RUNNING", input={"text": text}))
            db.workflows.upsert(WorkflowState(f"s{number}", "f", "RUNNING", input={"text": "small"}))
    seen: list[str] = []
    after: dict[str, str] = {}
    pages = 0
    while True:
        page = service.http.get("/api/v0/workflows", params={"limit": "60", **after}).json()
        seen += [item["workflow_exec_id"] for item in page["items"]]
        pages += 1
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert sorted(seen) == sorted([f"{kind}{number}" for number in range(30) for kind in "ws"])
    assert pages >= 20, "there is one large document on a page"
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda _: service.http.get("/api/v0/workflows").status_code, range(16)))
    assert set(answers) <= {200, 503}
    assert 200 in answers
    assert peak(service) < MOST


def test_clients_that_never_read_hold_little(service: Service, tmp_path: Path) -> None:
    with statestore.open(f"sqlite:///{tmp_path}/app.db") as db:
        db.workflows.upsert(WorkflowState("w", "f", "RUNNING", input={"text": LARGE}))
    address = urlsplit(service.url)
    readers = [socket.create_connection((address.hostname, address.port)) for _ in range(50)]
    try:
        for reader in readers:
            reader.sendall(b"GET /api/v0/workflows HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until(lambda: service.http.get("/healthz").status_code == 200)
        figures = until(lambda: _figures(service))
        assert float(figures['http_refused_total{reason="answers"}']) > 0
        assert service.http.get("/api/v0/workflows/none").status_code == 404
    finally:
        for reader in readers:
            reader.close()
    assert peak(service) < MOST


def _figures(service: Service) -> dict[str, str] | None:
    """The metrics, once an answer was refused."""
    lines = service.http.get("/metrics").text.splitlines()
    found = dict(line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
    return found if float(found['http_refused_total{reason="answers"}']) else None
