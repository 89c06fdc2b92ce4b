"""Who gets to see the pages: the same keys and the same limit as at the interface, and no form of another site."""

from __future__ import annotations

from http.cookies import SimpleCookie
from typing import Any

import pytest
from httpx import Response
from litestar.testing import TestClient

from diglot.statestore.database import Database
from diglot.statestore.models import WorkflowState
from diglot.statestore.repositories import key_format
from tests.statestore.server.client import Client, key_of, problem, serving
from tests.statestore.server.pages.served import Served

KEY = key_format.make_key(bytes(32))
OURS = {"Origin": "http://testserver.local"}
PAGES = ["/", "/run?id=w1", "/task?run=w1&id=t1", "/tasks?run=w1", "/status"]


@pytest.fixture
def memory_db(memory: Served) -> Database:
    return memory.db


@pytest.fixture
def memory_http(memory: Served) -> TestClient[Any]:
    return memory.http


def sign_in(http: TestClient[Any], key: str, to: str = "", **headers: str) -> Response:
    return http.post("/sign-in", data={"key": key, "to": to}, headers=headers or OURS, follow_redirects=False)


def cookie_of(response: Response) -> Any:
    cookies = SimpleCookie(response.headers["set-cookie"])
    assert len(cookies) == 1
    return next(iter(cookies.values()))


def line(response: Response) -> str:
    """What a person reads of what went wrong: the heading, and the line below it."""
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    head = response.text.partition("<h1>")[2].partition("</h1>")[0]
    below = response.text.partition('<p class="line">')[2].partition("</p>")[0]
    return f"{head}: {below}"


def test_a_key_opens_the_pages_and_signing_out_closes_them(db: Database, http: TestClient[Any]) -> None:
    db.workflows.upsert(WorkflowState("w1", "flow", "RUNNING"))
    asked = http.get("/run?id=w1&view=data", follow_redirects=False)
    assert (asked.status_code, asked.headers["location"]) == (303, "/sign-in?to=%2Frun%3Fid%3Dw1%26view%3Ddata")
    form = http.get(asked.headers["location"])
    assert '<input type="hidden" name="to" value="/run?id=w1&amp;view=data">' in form.text
    let_in = sign_in(http, f" {key_of(db, 'ada@example.org')} ", "/run?id=w1&view=data")
    assert (let_in.status_code, let_in.headers["location"]) == (303, "/run?id=w1&view=data")
    page = http.get(let_in.headers["location"])
    assert page.status_code == 200
    assert "ada@example.org" in page.text
    out = http.post("/sign-out", headers=OURS, follow_redirects=False)
    assert (out.status_code, out.headers["location"]) == (303, "/sign-in")
    assert cookie_of(out)["max-age"] == "0"
    assert http.get("/", follow_redirects=False).status_code == 303


@pytest.mark.parametrize(
    ("base", "name"), [("http://diglot.example", "diglot"), ("https://diglot.example", "__Host-diglot")]
)
def test_the_key_is_kept_where_no_script_and_no_other_site_gets_it(
    memory_db: Database, memory_http: TestClient[Any], base: str, name: str
) -> None:
    key = key_of(memory_db, "a@b.c")
    memory_http.base_url = base
    cookie = cookie_of(sign_in(memory_http, key, Origin=base))
    assert (cookie.key, cookie.value, cookie["path"], cookie["domain"], cookie["max-age"]) == (name, key, "/", "", "")
    assert cookie["httponly"]
    assert cookie["samesite"].lower() == "lax"
    assert bool(cookie["secure"]) is base.startswith("https")


def test_a_key_that_is_not_good_is_told_in_one_line_that_is_always_the_same(
    db: Database, http: TestClient[Any]
) -> None:
    issued = db.api_keys.issue(db.users.create("a@b.c").id)
    db.api_keys.revoke(issued.api_key.id)
    answers = set()
    for key in ("", "dgl_x", KEY, issued.secret, "ключ" * 50):
        refused = sign_in(http, key)
        assert refused.status_code == 401
        assert "set-cookie" not in refused.headers
        assert refused.headers["www-authenticate"]
        assert key not in refused.text or not key
        answers.add(refused.text)
    assert len(answers) == 1
    assert "This key is not valid: it may be mistyped, expired or revoked." in answers.pop()


@pytest.mark.parametrize("page", PAGES)
def test_a_key_that_was_revoked_is_forgotten(memory_db: Database, memory_http: TestClient[Any], page: str) -> None:
    issued = memory_db.api_keys.issue(memory_db.users.create("a@b.c").id)
    sign_in(memory_http, issued.secret)
    memory_db.api_keys.revoke(issued.api_key.id)
    refused = memory_http.get(page, follow_redirects=False)
    assert refused.status_code == 303
    assert refused.headers["location"].startswith("/sign-in")
    assert cookie_of(refused)["max-age"] == "0"


def test_failures_count_together_with_those_of_the_interface(memory_db: Database) -> None:
    good = key_of(memory_db, "a@b.c")
    with serving(memory_db, failures_per_minute=2) as http:
        assert problem(Client(http)("GET", "/auth/me", key=KEY))[0] == 401
        assert sign_in(http, KEY).status_code == 401
        assert problem(Client(http)("GET", "/auth/me", key=KEY))[0] == 429
        refused = sign_in(http, KEY)
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["retry-after"]) <= 30
        assert line(refused).startswith("Too many failed attempts: too many failed attempts: wait ")
        http.cookies.set("diglot", KEY)
        assert http.get("/").status_code == 429
        assert 'auth_attempts_total{outcome="limited"} 3.0' in http.get("/metrics").text
        http.cookies.clear()
        assert sign_in(http, good).status_code == 303


def test_an_attempt_is_authenticated_with_one_query(
    memory_db: Database, memory_http: TestClient[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(memory_http, key_of(memory_db, "a@b.c"))
    assert memory_http.get("/").status_code == 200  # the first time, the columns of a query's answer are looked at, too
    asked = []
    rows = type(memory_db.store).rows
    monkeypatch.setattr(type(memory_db.store), "rows", lambda *a: asked.append(a[1].query) or rows(*a))
    assert memory_http.get("/").status_code == 200
    assert asked == ["api_keys.find_api_key", "workflows.summarize_workflows"]


def test_the_cookie_is_for_the_pages_and_the_header_for_the_interface(
    memory_db: Database, memory_http: TestClient[Any]
) -> None:
    key = key_of(memory_db, "a@b.c")
    sign_in(memory_http, key)
    assert memory_http.get("/").status_code == 200
    assert problem(memory_http.get("/api/v0/auth/me"))[0] == 401
    assert problem(memory_http.post("/api/v0/auth/keys", json={}))[0] == 401
    memory_http.cookies.clear()
    with_header = memory_http.get("/", headers={"Authorization": f"Bearer {key}"}, follow_redirects=False)
    assert with_header.status_code == 303


FORGED: list[dict[str, str]] = [
    {},
    {"Origin": "https://evil.example"},
    {"Origin": "http://testserver.local.evil.example"},
    {"Origin": "http://testserver.local:81"},
    {"Origin": "null"},
    {"Origin": "http://testserver.local", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "http://testserver.local", "Sec-Fetch-Site": "same-site"},
]


@pytest.mark.parametrize("headers", FORGED, ids=str)
def test_a_form_of_another_site_is_refused(
    memory_db: Database, memory_http: TestClient[Any], headers: dict[str, str]
) -> None:
    key = key_of(memory_db, "a@b.c")
    refused = memory_http.post("/sign-in", data={"key": key}, headers=headers, follow_redirects=False)
    assert refused.status_code == 403
    assert "set-cookie" not in refused.headers
    assert line(refused) == "This is not allowed: this form was sent from another site: open this page and sign in here"
    out = memory_http.post("/sign-out", headers=headers, follow_redirects=False)
    assert out.status_code == 403
    assert "set-cookie" not in out.headers


def test_a_browser_that_says_where_the_form_was_is_believed_behind_a_proxy(
    memory_db: Database, memory_http: TestClient[Any]
) -> None:
    """A proxy may ask for another host than the browser did; the browser's word is about what it did."""
    headers = {"Origin": "https://diglot.example", "Sec-Fetch-Site": "same-origin"}
    assert sign_in(memory_http, key_of(memory_db, "a@b.c"), **headers).status_code == 303


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("/run?id=a%2Fb&view=data", "/run?id=a%2Fb&view=data"),
        ("/status", "/status"),
        ("https://evil.example/", "/"),
        ("//evil.example/run", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("\r\nSet-Cookie: a=b", "/"),
        ("javascript:alert(1)", "/"),
        ("/run?id=a\r\nX: y", "/run?id=aX%3A+y"),
        ("/sign-out", "/"),
        ("//[", "/"),
        ("", "/"),
    ],
)
def test_signing_in_leads_to_our_own_pages_alone(
    memory_db: Database, memory_http: TestClient[Any], wanted: str, found: str
) -> None:
    assert sign_in(memory_http, key_of(memory_db, "a@b.c"), wanted).headers["location"] == found


def test_a_large_form_is_refused(memory_http: TestClient[Any]) -> None:
    refused = memory_http.post("/sign-in", data={"key": "x" * 20_000}, headers=OURS)
    assert refused.status_code == 413
    assert line(refused).startswith("The body is too large")


@pytest.mark.parametrize("body", [b"\xff\xfe", b"&".join(b"a=b" for _ in range(100)), b"key"])
def test_a_form_that_is_none_is_a_wrong_key_or_a_wrong_request(memory_http: TestClient[Any], body: bytes) -> None:
    assert memory_http.post("/sign-in", content=body, headers=OURS).status_code in (400, 401)


def test_without_authentication_there_is_nothing_to_sign_in_to(db: Database) -> None:
    with serving(db, auth=False) as http:
        here = {"Host": "localhost:8080"}
        page = http.get("/", headers=here)
        assert page.status_code == 200
        assert "authentication is off" in page.text
        assert "Sign out" not in page.text
        assert http.get("/sign-in", headers=here, follow_redirects=False).headers["location"] == "/"
        assert http.get("/static/page.css", headers=here).status_code == 200
        for headers in ({"Host": "evil.example"}, {**here, "Origin": "https://evil.example"}):
            for address in ("/", "/status", "/sign-in"):
                refused = http.get(address, headers=headers)
                assert refused.status_code == 403
                assert line(refused).endswith("authentication is off, so only this machine itself has access")
