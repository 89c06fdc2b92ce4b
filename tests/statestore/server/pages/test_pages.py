"""What the pages show, how they say what goes wrong, and that nothing in them can be made to run."""

from __future__ import annotations

import html
import re
import threading
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import pytest
from httpx import Response
from litestar.testing import TestClient

from diglot.errors import DatabaseUnavailable
from diglot.statestore.database import Database
from diglot.statestore.models import StateError, TaskState, UsageEntry, WorkflowState
from diglot.statestore.server.pages.assets import TYPES
from diglot.statestore.server.pages.run import MOST_TEXT
from tests.statestore.server.client import Client, key_of, problem, serving
from tests.statestore.server.pages.served import Served

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
EVIL = "<script>window.hurt=1</script>\"'><img src=x onerror=window.hurt=1>{{ 7*7 }}"
LONG = "長い名前" * 55
TURNED = "invoice\u202efdp.exe"


class Read(HTMLParser):
    """A page as a browser understands it: its tags with their attributes, and the text that is seen."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def seen(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))

    def links(self) -> list[str]:
        return [str(attributes["href"]) for tag, attributes in self.tags if tag == "a"]


@pytest.fixture
def get(db: Database, http: TestClient[Any]) -> Callable[..., Response]:
    http.cookies.set("diglot", key_of(db, "ada@example.org"))
    return http.get


@pytest.fixture
def memory_db(memory: Served) -> Database:
    return memory.db


@pytest.fixture
def memory_get(memory: Served) -> Callable[..., Response]:
    memory.http.cookies.set("diglot", key_of(memory.db, "ada@example.org"))
    return memory.http.get


def run(db: Database, id: str = "w1", name: str = "flow", status: Any = "RUNNING", **more: Any) -> None:
    db.workflows.upsert(WorkflowState(id, name, status, **more))


def task(db: Database, id: str, parent: str | None = None, status: Any = "SUCCESS", **more: Any) -> None:
    of = more.pop("of", "w1")
    db.tasks.upsert(TaskState(of, id, more.pop("name", id), "flow", "task", status, "basic", parent, **more))


def names(page: Response) -> list[str]:
    return re.findall(r'<th scope="row"><a href="[^"]*">([^<]*)</a>', page.text)


# --- runs ----------------------------------------------------------------------------------------------------------


def test_runs_are_listed_newest_first_and_filtered(db: Database, get: Callable[..., Response]) -> None:
    for number, status in enumerate(["SUCCESS", "FAILED", "RUNNING"]):
        run(db, f"w{number}", f"flow{number}", status)
    assert names(get("/")) == ["flow2", "flow1", "flow0"]
    assert names(get("/?status=FAILED&q=")) == ["flow1"]
    assert names(get("/?q=flow0")) == ["flow0"]
    assert names(get("/?status=SUCCESS&q=flow2")) == []
    assert "No run matches." in get("/?status=SUCCESS&q=flow2").text
    assert get("/?status=NOTHING").status_code == 400
    assert names(get("/?status=")) == ["flow2", "flow1", "flow0"]
    filtered = get("/?status=FAILED&q=flow1").text
    assert "<option selected>FAILED</option>" in filtered
    assert 'value="flow1"' in filtered


def test_runs_are_paged(db: Database, get: Callable[..., Response]) -> None:
    for number in range(60):
        run(db, f"w{number:02}", f"flow{number:02}", "SUCCESS")
    first = get("/?status=SUCCESS")
    following = next(link for link in Read(first.text).links() if "after=" in link)
    second = get(following)
    assert [*names(first), *names(second)] == [f"flow{number:02}" for number in reversed(range(60))]
    assert "/?status=SUCCESS" in Read(second.text).links()
    assert not [link for link in Read(second.text).links() if "after=" in link]
    assert get("/?after=nonsense").status_code == 400


def test_the_id_of_a_run_leads_to_it(db: Database, get: Callable[..., Response]) -> None:
    run(db, "a/run ?&#")
    found = get("/", params={"q": " a/run ?&# "}, follow_redirects=False)
    assert (found.status_code, found.headers["location"]) == (303, "/run?id=a%2Frun+%3F%26%23")
    assert get(found.headers["location"]).status_code == 200
    assert get("/?q=nobody").status_code == 200


def test_an_empty_database_says_what_to_do(memory_get: Callable[..., Response]) -> None:
    assert "No runs yet. Record one: diglot workflow replay" in Read(memory_get("/").text).seen


# --- one run -------------------------------------------------------------------------------------------------------


def test_a_run_is_shown_with_its_tasks(db: Database, get: Callable[..., Response]) -> None:
    run(db, status="FAILED", error=StateError("too late", "LATE"), usage=[UsageEntry("p", "m", 1000, 500, 1500)])
    task(db, "group")
    task(db, "child", "group", "FAILED", error=StateError("no memory"))
    seen = Read(get("/run?id=w1").text).seen
    for text in ("FAILED", "LATE: too late", "1,500", "2 tasks", "group", "1 task", "child", "no memory"):
        assert text in seen, text
    timeline = get("/run?id=w1&view=timeline")
    assert [str(each["class"]) for tag, each in Read(timeline.text).tags if tag == "rect"][-2:] == ["SUCCESS", "FAILED"]
    assert "/task?run=w1&id=child" in Read(timeline.text).links()
    assert get("/run?id=w1&view=something").status_code == 200


def test_a_run_opens_with_two_queries_and_is_small(
    db: Database, get: Callable[..., Response], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(db, status="SUCCESS")
    groups = [TaskState("w1", f"g{number}", "group", "flow", "task", "SUCCESS", "collection") for number in range(20)]
    members = [
        TaskState("w1", f"{group.task_exec_id}.{number}", "member", "flow", "task", "SUCCESS", "basic",
                  group.task_exec_id, output={"text": "x" * 200})
        for group in groups for number in range(99)
    ]  # fmt: skip
    db.tasks.upsert_many([*groups, *members])
    get("/run?id=w1")
    asked: list[str] = []
    rows = type(db.store).rows
    monkeypatch.setattr(type(db.store), "rows", lambda *a: asked.append(a[1].query) or rows(*a))
    for view, most in (("tree", 60_000), ("timeline", 30_000), ("data", 10_000)):
        page = get(f"/run?id=w1&view={view}")
        assert asked == ["api_keys.find_api_key", "workflows.get_workflow", "tasks.summarize_tasks"]
        assert len(page.content) < most
        assert "2,000 tasks" in page.text
        asked.clear()
    opened = next(link for link in Read(get("/run?id=w1&view=timeline").text).links() if "open=" in link)
    assert "91 more tasks" in get(opened).text


def test_what_went_in_and_came_out_is_shown(memory_db: Database, memory_get: Callable[..., Response]) -> None:
    run(memory_db, input={"a": 1.5}, output={"text": "x" * MOST_TEXT, "runtimeInSeconds": 90}, status="SUCCESS",
        error=StateError(details=["why"]), usage=[UsageEntry("p", "m", 1, 2, 3)])  # fmt: skip
    seen = Read(memory_get("/run?id=w1&view=data").text).seen
    for text in ('"a": 1.5', '"why"', "no reason given", "Cut off here", "Model", "1 min 30 s"):
        assert text in seen, text
    run(memory_db, "w2")
    assert "There is no input and no output." in memory_get("/run?id=w2&view=data").text
    assert "No tasks yet." in memory_get("/run?id=w2").text


def test_a_task_is_shown_with_its_children_page_by_page(db: Database, get: Callable[..., Response]) -> None:
    run(db)
    task(db, "root", None, "RUNNING", input={"a": 1}, agent_id="writer", action_id="write")
    db.tasks.upsert_many(
        [
            TaskState("w1", f"c{number:03}", f"c{number:03}", "flow", "task", "SUCCESS", "basic", "root")
            for number in range(150)
        ]
    )
    first = get("/task?run=w1&id=root")
    for text in ("RUNNING", "writer", "write", '"a": 1'):
        assert text in Read(first.text).seen
    second = get(next(link for link in Read(first.text).links() if "after=" in link))
    assert [*names(first), *names(second)] == [f"c{number:03}" for number in range(150)]
    assert "/task?run=w1&id=root" in Read(get("/task?run=w1&id=c000").text).links()


def test_all_tasks_of_a_run_are_listed_and_filtered(db: Database, get: Callable[..., Response]) -> None:
    run(db)
    task(db, "a")
    task(db, "b", "a", "FAILED")
    assert names(get("/tasks?run=w1")) == ["a", "b"]
    assert names(get("/tasks?run=w1&status=FAILED")) == ["b"]
    assert "No task matches." in get("/tasks?run=w1&status=PAUSED").text
    legend = Read(get("/run?id=w1").text).links()
    assert {"/tasks?run=w1&status=FAILED", "/tasks?run=w1&status=SUCCESS", "/tasks?run=w1"} <= set(legend)


def test_more_tasks_than_a_page_looks_at_are_said_to_be_there(
    memory_db: Database, memory_get: Callable[..., Response], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("diglot.statestore.server.pages.run.MOST_SUMMARIES", 3)
    run(memory_db)
    for number in range(4):
        task(memory_db, f"t{number}")
    seen = Read(memory_get("/run?id=w1").text).seen
    assert "3 tasks and more" in seen
    assert "Only the first 3 tasks are shown." in seen


@pytest.mark.parametrize("view", ["tree", "timeline"])
def test_roots_that_are_too_many_are_counted_and_lead_to_all(
    memory_db: Database, memory_get: Callable[..., Response], view: str
) -> None:
    run(memory_db)
    memory_db.tasks.upsert_many([TaskState("w1", f"t{number}", "t", "f", "task", "SUCCESS") for number in range(100)])
    page = memory_get(f"/run?id=w1&view={view}")
    assert "60 more tasks" in page.text


# --- health --------------------------------------------------------------------------------------------------------


def test_health_shows_checks_figures_and_queries(db: Database, get: Callable[..., Response]) -> None:
    get("/")
    seen = Read(get("/status").text).seen
    for text in ("HEALTHY", "reachable", "migrated", "up to date", "Connections open", "api_keys.find_api_key"):
        assert text in seen, text
    assert {"sqlite": "The database file", "postgres": "Connections in use"}[db.store.dialect] in seen


def test_health_says_what_is_wrong(memory_db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(memory_db, auth=False) as http:

        def broken(*_: object) -> None:
            raise DatabaseUnavailable("no route to 10.1.2.3")

        with monkeypatch.context() as patched:
            patched.setattr(type(memory_db.store), "rows", broken)
            page = http.get("/status", headers={"Host": "localhost"})
    assert page.status_code == 200
    assert "UNHEALTHY" in page.text
    assert "FAILED" in page.text


# --- what changes --------------------------------------------------------------------------------------------------


def test_a_page_of_what_runs_is_refreshed_until_it_ends(
    memory_db: Database, memory_get: Callable[..., Response]
) -> None:
    run(memory_db)
    task(memory_db, "t1", None, "RUNNING")
    refresh = '<noscript><meta http-equiv="refresh" content="'
    for address in ("/", "/run?id=w1", "/task?run=w1&id=t1"):
        page, part = memory_get(address), memory_get(f"{address}{'&' if '?' in address else '?'}fragment=1")
        assert refresh in page.text, address
        assert "<html" not in part.text
        assert part.text.lstrip().startswith('<div data-live="')
        assert part.headers["content-security-policy"] == POLICY
        assert Read(part.text).links()[:1] == [] or set(Read(part.text).links()) <= set(Read(page.text).links())
    run(memory_db, status="SUCCESS")
    task(memory_db, "t1")
    for address in ("/run?id=w1", "/task?run=w1&id=t1"):
        assert refresh not in memory_get(address).text
        assert memory_get(f"{address}&fragment=1").text.lstrip().startswith('<div data-live="0"')


# --- safety --------------------------------------------------------------------------------------------------------


def everything(http_get: Callable[..., Response], exec_id: str, task_id: str) -> dict[str, Response]:
    given = f"run={quote(exec_id, safe='')}&id={quote(task_id, safe='')}"
    addresses = [
        "/",
        f"/?q={quote(EVIL, safe='')}&status={quote(EVIL, safe='')}",
        f"/run?id={quote(exec_id, safe='')}",
        f"/run?id={quote(exec_id, safe='')}&view=timeline",
        f"/run?id={quote(exec_id, safe='')}&view=data",
        f"/run?id={quote(EVIL + 'x', safe='')}",
        f"/task?{given}",
        f"/tasks?run={quote(exec_id, safe='')}",
        "/status",
        f"/sign-in?to={quote(EVIL, safe='')}",
        f"/nowhere{quote(EVIL, safe='')}",
    ]
    return {address: http_get(address, headers={"Accept": "text/html"}) for address in addresses}


@pytest.mark.parametrize("name", [EVIL, LONG, TURNED], ids=["script", "long", "turned"])
def test_names_are_text_and_nothing_else(db: Database, get: Callable[..., Response], name: str) -> None:
    run(db, f"id {name}", name, "FAILED", error=StateError(name, name, [name]), input={name: name}, output={"a": name})
    more = {"agent_id": name, "action_id": name, "error": StateError(name, name), "input": {name: [name]}}
    task(db, f"task {name}", None, "FAILED", of=f"id {name}", name=name, **more)
    task(db, f"child {name}", f"task {name}", of=f"id {name}", name=name, usage=[UsageEntry(name, name)])
    for address, page in everything(get, f"id {name}", f"task {name}").items():
        assert page.status_code in (200, 400, 404), address
        found = Read(page.text)
        for tag, attributes in found.tags:
            assert not {each for each in attributes if each.startswith("on") or each == "style"}, address
            assert tag not in ("style", "iframe", "object", "base"), address
            if tag == "script":
                assert str(attributes["src"]).startswith("/static/page.js"), address
            if tag == "img":
                assert str(attributes["src"]).startswith("/static/icon.svg"), address
            for link in (attributes.get("href"), attributes.get("action")):
                assert link is None or re.match(r"/(?!/)|#", link), address
        assert "\u202e" not in page.text
        assert page.headers["content-security-policy"] == POLICY
    shown = Read(get("/").text).seen
    assert (name if name != TURNED else "invoice\N{SYMBOL FOR SUBSTITUTE}U+202Efdp.exe") in shown


def test_every_answer_has_the_policy_and_is_not_kept(memory_db: Database, memory_get: Callable[..., Response]) -> None:
    run(memory_db)
    task(memory_db, "t1")
    for address, page in everything(memory_get, "w1", "t1").items():
        assert page.headers["content-security-policy"] == POLICY, address
        assert page.headers["referrer-policy"] == "same-origin"
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["content-type"] == "text/html; charset=utf-8"


def test_our_own_files_are_served_to_all_and_may_be_kept(memory_db: Database) -> None:
    with serving(memory_db) as http:
        links = {str(each.get("href") or each.get("src")) for tag, each in Read(http.get("/sign-in").text).tags
                 if tag in ("link", "script", "img")}  # fmt: skip
        assert {link.partition("?")[0].rpartition("/")[2] for link in links} == set(TYPES)
        for link in links:
            kept = http.get(link)
            assert kept.status_code == 200
            assert kept.headers["content-type"].startswith(TYPES[link.partition("?")[0].rpartition("/")[2]])
            assert kept.headers["cache-control"] == "public, max-age=31536000, immutable"
            assert http.get(link.partition("?")[0]).headers["cache-control"] == "no-cache"
        for name in ("nothing.css", "..%2F__init__.py", "%2e%2e%2fassets.py"):
            assert http.get(f"/static/{name}").status_code == 404


# --- what goes wrong -----------------------------------------------------------------------------------------------


def said(page: Response) -> tuple[int, str]:
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    main = page.text.partition("<main")[2]
    words = html.unescape(re.sub(r"<[^>]*>", " ", main.partition(">")[2].partition("Back to the runs")[0]))
    return page.status_code, " ".join(words.split())


def test_errors_are_one_clear_line(memory_db: Database, memory_get: Callable[..., Response]) -> None:
    run(memory_db)
    for address, status, line in [
        ("/run?id=nope", 404, "Not found no workflow execution"),
        ("/task?run=w1&id=nope", 404, "Not found no task"),
        ("/tasks?run=nope", 404, "Not found no workflow execution"),
        ("/run", 400, "A value is invalid"),
        ("/run?id=", 400, "A value is invalid workflow_exec_id: an id has 1 to 255 characters, not 0"),
        ("/?after=x", 400, "A value is invalid after: this is not a cursor"),
    ]:
        found = said(memory_get(address))
        assert found[0] == status, address
        assert found[1].startswith(line), address


def test_who_goes_astray_gets_a_page_in_a_browser_and_a_problem_elsewhere(memory_get: Callable[..., Response]) -> None:
    assert said(memory_get("/nowhere", headers={"Accept": "text/html,*/*"}))[0] == 404
    assert problem(memory_get("/nowhere", headers={"Accept": "*/*"}))[:2] == (404, "not-found")
    assert problem(memory_get("/api/v0/nowhere", headers={"Accept": "text/html"}))[:2] == (404, "not-found")


def test_a_database_that_is_away_is_told_without_its_words(
    memory_db: Database, memory_get: Callable[..., Response], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise DatabaseUnavailable("no route to 10.1.2.3")

    with monkeypatch.context() as patched:
        patched.setattr(type(memory_db.store), "rows", away)
        page = memory_get("/")
    assert said(page) == (503, "The database can't be reached This page tries again every 5 seconds.")
    assert page.headers["retry-after"] == "1"
    assert "10.1.2.3" not in page.text


def test_a_fault_of_ours_has_the_id_of_its_request(
    memory_get: Callable[..., Response], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("diglot.statestore.repositories.workflows.WorkflowRepository.summaries", broken)
    page = memory_get("/")
    assert said(page)[0] == 500
    assert page.headers["x-request-id"] in page.text
    assert "secret" not in page.text


def test_a_request_that_takes_too_long_is_told_as_a_page(memory_db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    monkeypatch.setattr(
        "diglot.statestore.repositories.workflows.WorkflowRepository.summaries", lambda *_, **__: ended.wait(30)
    )
    with serving(memory_db, auth=False, request_timeout=0.1) as http:
        page = http.get("/", headers={"Host": "localhost", "Accept": "text/html"})
        ended.set()
    assert said(page)[0] == 503
    assert "The database did not answer in time" in page.text
    assert page.headers["content-security-policy"] == POLICY
    assert page.headers["x-request-id"] in page.text


def test_the_pages_are_no_part_of_the_described_interface(memory_get: Callable[..., Response]) -> None:
    assert not set(memory_get("/schema").json()["paths"]) & {"/", "/run", "/task", "/tasks", "/status", "/sign-in"}


def test_users_see_what_the_interface_lets_them_see(db: Database, admin: Client, user: Client) -> None:
    """All executions, whoever wrote them: a page shows no less and no more."""
    admin.put_workflow("of-admin")
    assert user("GET", "/workflows/of-admin").status_code == 200
    user.http.cookies.set("diglot", user.key or "")
    assert user.http.get("/run?id=of-admin").status_code == 200
    health = user.http.get("/health", headers={"Authorization": f"Bearer {user.key}"})
    assert health.status_code == user.http.get("/status").status_code == 200
