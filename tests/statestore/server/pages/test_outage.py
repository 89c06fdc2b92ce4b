"""What people see when the database is away, and before there is an admin."""

from __future__ import annotations

import time
from typing import Any

import pytest
from litestar.testing import TestClient

from diglot.errors import DatabaseUnavailable
from diglot.statestore.database import Database
from diglot.statestore.repositories.api_keys import ApiKeyRepository
from diglot.statestore.server.pages import errors, sign_in
from tests.statestore.server.client import key_of, serving
from tests.statestore.server.pages.served import Served

HTML = {"Accept": "text/html", "Host": "localhost"}


@pytest.fixture
def memory_db(memory: Served) -> Database:
    return memory.db


@pytest.fixture
def page(memory_db: Database) -> Any:
    with serving(memory_db) as http:
        http.cookies.set("diglot", key_of(memory_db, "a@b.c"))
        yield http


def _away(*_: Any) -> Any:
    raise DatabaseUnavailable("it is away")


def test_a_page_says_why_there_is_none_and_tries_again(page: TestClient[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ApiKeyRepository, "identify", _away)
    found = page.get("/", headers=HTML)
    assert found.status_code == 503
    assert "The database can&#39;t be reached" in found.text or "The database can't be reached" in found.text
    assert f'<meta http-equiv="refresh" content="{errors.RETRY_SECONDS}">' in found.text
    assert 'href="/status"' in found.text


@pytest.mark.parametrize("accept", ["text/html", "*/*"])
def test_a_page_waits_less_than_a_request(memory_db: Database, monkeypatch: pytest.MonkeyPatch, accept: str) -> None:
    monkeypatch.setattr(ApiKeyRepository, "identify", lambda *_: time.sleep(1))
    with serving(memory_db, page_timeout=0.2) as http:
        http.cookies.set("diglot", key_of(memory_db, "late@example.org"))
        found = http.get("/", headers={**HTML, "Accept": accept})
    assert found.status_code == 503
    if accept == "text/html":
        assert "The database did not answer in time" in found.text
        assert 'http-equiv="refresh"' in found.text
    else:
        assert found.headers["content-type"] == "application/problem+json"


def test_health_is_seen_without_the_database_by_who_was_here_before(
    page: TestClient[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ApiKeyRepository, "identify", _away)
    assert page.get("/status", headers=HTML).status_code == 503, "nobody was here before"
    monkeypatch.undo()
    assert page.get("/", headers=HTML).status_code == 200
    monkeypatch.setattr(ApiKeyRepository, "identify", _away)
    assert page.get("/status", headers=HTML).status_code == 200
    assert page.get("/", headers=HTML).status_code == 503
    page.cookies.set("diglot", "dgl_another")
    assert page.get("/status", headers=HTML, follow_redirects=False).status_code == 303


def test_who_was_here_is_forgotten_in_time() -> None:
    now = 0.0
    recent = sign_in.Recent(lambda: now)
    user: Any = object()
    recent.note("secret", user)
    now = sign_in.RECENT_SECONDS - 1
    assert recent.user("secret") is user
    now += 2
    assert recent.user("secret") is None
    for number in range(sign_in.MOST_RECENT + 5):
        recent.note(str(number), user)
    assert recent.user("0") is None


def test_the_form_says_how_to_make_the_first_admin(memory_db: Database) -> None:
    with serving(memory_db) as http:
        assert "diglot init --admin EMAIL" in http.get("/sign-in", headers=HTML).text
        memory_db.users.create("ada@example.org", "admin")
        assert "diglot init --admin EMAIL" not in http.get("/sign-in", headers=HTML).text


def test_an_unknown_status_names_those_that_there_are(page: TestClient[Any]) -> None:
    found = page.get("/?status=DONE", headers=HTML)
    assert found.status_code == 400
    assert "PENDING, RUNNING, WAITING" in found.text
    told = page.get("/api/v0/workflows?status=DONE", headers={"Authorization": f"Bearer {page.cookies['diglot']}"})
    assert told.status_code == 400
    assert "PENDING" in told.json()["detail"]


@pytest.mark.parametrize("path", ["/api/v0/workflows/%ff", "/%c3%28", "/api/v0/workflows/a%00%ed%a0%80"])
def test_a_path_that_is_not_utf_8_is_refused(path: str, page: TestClient[Any]) -> None:
    found = page.get(path, headers={"Authorization": f"Bearer {page.cookies['diglot']}"})
    assert found.status_code == 400
    assert found.json()["detail"] == "the path is not UTF-8"
