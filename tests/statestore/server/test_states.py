"""Workflow executions and tasks over HTTP: conditions, pages, and words for what is not right."""

import asyncio
from typing import Any
from urllib.parse import quote

import pytest
import structlog

from diglot.errors import DatabaseUnavailable, TooLarge
from diglot.sql.encoding import MAX_DOCUMENT
from diglot.statestore.database import Database
from diglot.statestore.repositories.workflows import WorkflowRepository
from diglot.statestore.server.routes import bodies
from tests.statestore.server.client import Client, problem

COUNT = '"usage": [{"provider": "p", "model": "m", "prompt_tokens"'
USAGE = {"provider": "p", "model": "m", "prompt_tokens": 2}


def test_a_workflow_is_written_read_and_deleted(user: Client) -> None:
    made = user.put_workflow(input={"a": [1, 2.5, None]}, usage=[USAGE])
    assert (made.status_code, made.headers["location"], made.headers["etag"]) == (201, "/api/v0/workflows/w1", '"1"')
    again = user.put_workflow(status="SUCCESS")
    assert (again.status_code, again.headers["etag"]) == (200, '"2"')
    read = user("GET", "/workflows/w1")
    assert (read.json()["status"], read.json()["input"], read.headers["etag"]) == ("SUCCESS", None, '"2"')
    assert user("DELETE", "/workflows/w1").status_code == 204
    assert problem(user("GET", "/workflows/w1"))[:2] == (404, "not-found")
    assert problem(user("DELETE", "/workflows/w1"))[:2] == (404, "not-found")


@pytest.mark.parametrize("name", ["\U000493fe f", "é?#%"], ids=["every plane", "signs"])
def test_a_new_state_is_where_its_location_says_whatever_its_name(user: Client, name: str) -> None:
    made = user.put_workflow(quote(name))
    assert made.status_code == 201
    assert made.json()["workflow_exec_id"] == name
    found = user("GET", made.headers["location"].removeprefix("/api/v0"))
    assert (found.status_code, found.json()["workflow_exec_id"]) == (200, name)


@pytest.mark.parametrize("headers", [{}, {"If-Match": "*"}], ids=["always", "on a condition"])
def test_a_task_can_not_become_its_own_ancestor(user: Client, headers: dict[str, str]) -> None:
    user.put_workflow("w1")
    assert user.put_task("a").status_code == 201
    assert user.put_task("b", parent_state_id="a").status_code == 201
    refused = user.put_task("a", headers=headers, parent_state_id="b")
    assert refused.status_code == user.put_task("a", parent_state_id="a").status_code
    assert "task 'a' is its own ancestor" in refused.text
    assert user("GET", "/tasks/a").json()["parent_state_id"] is None


@pytest.mark.parametrize("kind", ["workflow", "task"])
def test_a_condition_is_met_or_nothing_is_changed(user: Client, kind: str) -> None:
    user.put_workflow()
    put: Any = user.put_workflow if kind == "workflow" else user.put_task
    at = "/workflows/w2" if kind == "workflow" else "/tasks/w2"

    def write(**headers: str) -> int:
        response = put("w2", headers={name.replace("_", "-"): value for name, value in headers.items()})
        return problem(response)[0] if response.status_code >= 400 else response.status_code

    assert write(If_Match="*") == 412
    assert write(If_Match='"1"') == 412
    assert write(If_Match='"1", "2"') == 412
    assert write(If_None_Match="*") == 201
    assert write(If_None_Match="*") == 412
    assert write(If_Match='"1"') == 200
    assert write(If_Match='"1"') == 412
    assert write(If_Match='W/"2"') == 412
    assert write(If_Match='"nonsense"') == 412
    assert write(If_Match='"9", "2"') == 200
    assert write(If_Match="*") == 200
    assert write(If_None_Match='"1"') == 400
    assert user("GET", at).headers["etag"] == '"4"'


@pytest.mark.parametrize(
    ("method", "path", "header"),
    [
        ("POST", "/workflows/w1/complete", "If-Match"),
        ("POST", "/workflows/w1/usage", "If-Match"),
        ("DELETE", "/workflows/w1", "If-None-Match"),
        ("DELETE", "/auth/keys/k", "If-Match"),
    ],
)
def test_a_condition_that_would_not_be_looked_at_is_refused(
    memory: Client, method: str, path: str, header: str
) -> None:
    assert problem(memory(method, path, headers={header: '"1"'}, json={}))[::2] == (400, header)


def test_only_the_version_that_is_meant_is_deleted(user: Client) -> None:
    user.put_workflow()
    user.put_workflow()
    assert problem(user("DELETE", "/workflows/w1", headers={"If-Match": '"1"'}))[:2] == (412, "changed-meanwhile")
    assert user("GET", "/workflows/w1").headers["etag"] == '"2"'
    assert user("DELETE", "/workflows/w1", headers={"If-Match": '"2"'}).status_code == 204
    assert problem(user("DELETE", "/workflows/w1", headers={"If-Match": '"2"'}))[0] == 412


def test_pages_have_a_link_to_the_next(user: Client) -> None:
    for number in range(5):
        user.put_workflow(f"w{number}", status="FAILED" if number % 2 else "SUCCESS")
    seen, path = [], "/workflows?status=SUCCESS&limit=2"
    while True:
        page = user("GET", path)
        seen += [item["workflow_exec_id"] for item in page.json()["items"]]
        if "link" not in page.headers:
            break
        target, relation = page.headers["link"].split("; ")
        assert relation == 'rel="next"'
        path = target.strip("<>").removeprefix("/api/v0")
    assert page.json()["next"] is None
    assert seen == ["w4", "w2", "w0"]
    found = user("GET", "/workflows?ids=w1&ids=w3&with_tasks=true&created_from=2020-01-01T00:00:00Z").json()["items"]
    assert [(item["workflow_exec_id"], item["tasks"]) for item in found] == [("w3", {}), ("w1", {})]


def test_tasks_are_a_list_and_a_tree(user: Client) -> None:
    user.put_workflow()
    user.put_task("root", execution_type="collection", status="RUNNING")
    for name in ("a", "b"):
        user.put_task(name, parent_state_id="root", output={"name": name})
    user.put_task("a1", parent_state_id="a", status="FAILED")
    user.put_task("other")
    wanted = [(0, "root"), (1, "a"), (2, "a1"), (1, "b"), (0, "other")]
    tree = user("GET", "/workflows/w1/tree").json()
    assert [(node["depth"], node["task"]["task_id"]) for node in tree["nodes"]] == wanted
    below = user("GET", "/tasks/root/tree?max_depth=1").json()
    assert ([node["task"]["task_id"] for node in below["nodes"]], below["truncated"]) == (["root", "a", "b"], True)
    assert len(user("GET", "/workflows/w1/tasks").json()["items"]) == 5
    assert [t["task_id"] for t in user("GET", "/workflows/w1/tasks?no_parent=true").json()["items"]] == [
        "root",
        "other",
    ]
    assert [t["task_id"] for t in user("GET", "/tasks/root/children?limit=1").json()["items"]] == ["a"]
    report = user("GET", "/tasks/root/progress?strategy=race").json()
    assert (report["total"], report["completion_rate"], report["overall"]) == (2, 1.0, "SUCCESS")
    with_tasks = user("GET", "/workflows/w1?with_tasks=true")
    assert set(with_tasks.json()["tasks"]) == {"root", "a", "b", "a1", "other"}
    assert "etag" not in with_tasks.headers
    assert problem(user("POST", "/workflows/w1/complete"))[:2] == (409, "workflow-not-ready")
    user.put_task("root", execution_type="collection")
    assert user("POST", "/workflows/w1/complete").json()["status"] == "SUCCESS"


def test_cancel_ends_an_execution_with_its_tasks(user: Client) -> None:
    user.put_workflow()
    user.put_task("t", status="RUNNING")
    canceled = user("POST", "/workflows/w1/cancel")
    assert (canceled.status_code, canceled.json()["status"]) == (200, "CANCELED")
    assert [task["status"] for task in user("GET", "/workflows/w1/tasks").json()["items"]] == ["CANCELED"]
    assert user("POST", "/workflows/w1/cancel").headers["etag"] == canceled.headers["etag"]
    assert problem(user("POST", "/workflows/none/cancel"))[:2] == (404, "not-found")


@pytest.mark.parametrize(
    "path",
    ["/workflows/x/tasks", "/workflows/x/tree", "/tasks/x", "/tasks/x/children", "/tasks/x/progress", "/tasks/x/tree"],
)
def test_below_what_does_not_exist_is_nothing(user: Client, path: str) -> None:
    assert problem(user("GET", path))[:2] == (404, "not-found")


def test_what_exists_and_is_empty_is_an_empty_answer(user: Client) -> None:
    user.put_workflow()
    user.put_task("t")
    assert user("GET", "/workflows/w1/tasks?status=FAILED").json() == {"items": [], "next": None}
    assert user("GET", "/tasks/t/children").json() == {"items": [], "next": None}
    assert user("GET", "/tasks/t/progress").json()["total"] == 0


def test_usage_is_added(user: Client) -> None:
    user.put_workflow()
    user.put_task("t")
    for at in ("/workflows/w1", "/tasks/t"):
        for _ in range(2):
            added = user("POST", f"{at}/usage", json={"usage": [USAGE]})
        assert (added.status_code, added.json()["usage"][0]["prompt_tokens"]) == (200, 4)


def test_references_that_lead_nowhere_are_conflicts(user: Client) -> None:
    user.put_workflow("w1")
    user.put_workflow("w2")
    user.put_task("t")
    assert problem(user.put_task("x", exec_id="none"))[:2] == (409, "unknown-reference")
    assert problem(user.put_task("x", parent_state_id="none"))[:2] == (409, "unknown-reference")
    assert problem(user.put_task("t", exec_id="w2"))[:2] == (409, "task-in-other-workflow")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ('{"workflow_id": "f", "status": "RUNNING", "more": 1}', "more"),
        ('{"workflow_id": "f", "status": "running"}', "status"),
        ('{"workflow_id": 1, "status": "RUNNING"}', "workflow_id"),
        ('{"status": "RUNNING"}', "workflow_id"),
        ('{"workflow_id": "f", "status": "RUNNING", "status": "RUNNING"}', ""),
        ('{"workflow_id": "f", "status": "RUNNING", "usage": [{"provider": "p", "model": "m", "x": 1}]}', "usage[0].x"),
        (f'{{"workflow_id": "f", "status": "RUNNING", {COUNT}: -1}}]}}', "usage[0].prompt_tokens"),
        (f'{{"workflow_id": "f", "status": "RUNNING", {COUNT}: "1"}}]}}', "usage[0].prompt_tokens"),
        ('{"workflow_id": "f", "status": "RUNNING", "input": {"a": ["\\u0000"]}}', "input.a[0]"),
        ('{"workflow_id": "f", "status": "RUNNING", "input": {"a": 9007199254740993}}', "input.a"),
        ('{"workflow_id": "f", "status": "RUNNING", "input": []}', "input"),
        ('{"workflow_id": "f", "status": "RUNNING", "input": {"a": NaN}}', "input.a"),
        ("[]", ""),
        ("{", ""),
        ("", ""),
        ("\xff", ""),
    ],
)
def test_a_body_that_is_not_right_is_told_with_its_path(memory: Client, body: str, path: str) -> None:
    content = body.encode("latin-1")
    response = memory("PUT", "/workflows/w1", content=content, headers={"Content-Type": "application/json"})
    assert problem(response) == (400, "invalid-value", path)
    assert response.json()["detail"]


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("status=running", "status"),
        ("stauts=RUNNING", "stauts"),
        ("limit=1&limit=2", "limit"),
        ("ids=a&ids=b&status=RUNNING&status=FAILED", "status"),
        ("after=nonsense", "after"),
        ("created_from=yesterday", "created_from"),
        ("created_from=2020-01-01T00:00:00", "created_from"),
        ("workflow_id=", "workflow_id"),
    ],
)
def test_a_parameter_that_is_not_right_is_told_with_its_name(memory: Client, query: str, path: str) -> None:
    assert problem(memory("GET", f"/workflows?{query}"))[::2] == (400, path)


def test_a_body_that_is_too_large_or_no_json_is_refused(memory: Client) -> None:
    headers = {"Content-Type": "application/json"}
    large = b'{"workflow_id": "f", "status": "RUNNING", "input": {"a": "' + b"x" * 10_000_000 + b'"}}'
    refused = memory("PUT", "/workflows/w1", content=large, headers=headers)
    assert problem(refused)[:2] == (413, "too-large")
    assert refused.json()["detail"] == "a body has at most 10,000,000 bytes"
    parts = iter([large[:5_000_000], large[5_000_000:]])
    assert problem(memory("PUT", "/workflows/w1", content=parts, headers=headers))[:2] == (413, "too-large")
    for kind in ({}, {"Content-Type": "text/plain"}):
        assert problem(memory("PUT", "/workflows/w1", content=b"{}", headers=kind))[:2] == (415, "not-json")


def test_a_document_beyond_the_limit_is_too_large_and_named(user: Client) -> None:
    assert user.put_workflow("w1", input={"a": "x" * (MAX_DOCUMENT - 8)}).status_code == 201
    refused = user.put_workflow("w2", output={"a": "x" * (MAX_DOCUMENT - 7)})
    assert problem(refused) == (413, "too-large", "output")
    assert refused.json()["detail"] == "output: it has 8,388,609 bytes, and max_document allows 8,388,608"
    assert problem(user("GET", "/workflows/w2"))[:2] == (404, "not-found")


def test_what_the_database_does_not_take_is_too_large(user: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a key that is too long for an index; the words of the database are not repeated."""

    def refused(*_: object) -> None:
        raise TooLarge("string or blob too big: canary")

    monkeypatch.setattr(WorkflowRepository, "upsert", refused)
    response = user.put_workflow()
    assert problem(response)[:2] == (413, "too-large")
    assert "canary" not in response.text


def test_a_body_is_decoded_where_it_stops_nobody(user: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten megabytes take seconds: not in the thread of the event loop, which has to answer all the others."""
    decode = bodies.decode

    def watched(body: bytes, kind: type[Any]) -> Any:
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        return decode(body, kind)

    monkeypatch.setattr(bodies, "decode", watched)
    assert user.put_workflow().status_code == 201
    assert user.put_task("t").status_code == 201


def test_unknown_addresses_and_methods(memory: Client) -> None:
    assert problem(memory("GET", "/nothing"))[:2] == (404, "not-found")
    wrong = memory("POST", "/workflows/w1")
    assert problem(wrong)[:2] == (405, "method-not-allowed")
    assert wrong.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PUT"
    assert memory("HEAD", "/workflows?limit=1").status_code == 200
    assert memory("HEAD", "/workflows/w1/complete").status_code == 405


def test_an_outage_is_one_line_of_log_for_a_request(user: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise DatabaseUnavailable("connection to db.example.org failed")

    monkeypatch.setattr(WorkflowRepository, "get", away)
    with structlog.testing.capture_logs() as lines:
        response = user("GET", "/workflows/w1")
    assert problem(response)[:2] == (503, "database-unavailable")
    assert "example" not in response.text
    failed = next(line for line in lines if line["event"] == "request failed")
    assert failed["error"].startswith("DatabaseUnavailable: connection to db.example.org failed")
    assert "exc_info" not in failed


def test_a_fault_of_ours_is_no_traceback_and_no_sql(
    db: Database, user: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("select secret from api_keys")

    monkeypatch.setattr(type(db.workflows), "get", broken)
    response = user("GET", "/workflows/w1")
    assert problem(response)[:2] == (500, "internal-error")
    assert "secret" not in response.text
