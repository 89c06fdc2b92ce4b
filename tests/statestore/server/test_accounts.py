"""Who may come in, what keys and users can do, and what a client that guesses gets."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from litestar.testing import TestClient

from diglot.statestore.database import Database
from diglot.statestore.repositories import key_format
from diglot.statestore.repositories.api_keys import ApiKeyRepository
from diglot.statestore.server.auth import uses
from diglot.statestore.server.auth.attempts import KEPT, Failures
from tests.statestore.server.client import Client, key_of, problem, serving
from tests.statestore.server.service import until

KEY = key_format.make_key(bytes(32))


def test_a_key_tells_who_it_is(db: Database, user: Client) -> None:
    assert user("GET", "/auth/me").json()["email"] == "ada@example.org"


def test_every_key_that_is_not_good_gets_the_same_answer(db: Database, http: TestClient[Any]) -> None:
    owner = db.users.create("a@b.c")
    revoked = db.api_keys.issue(owner.id)
    db.api_keys.revoke(revoked.api_key.id)
    expired = _expired(db, owner.id)
    answers = set()
    for header in [None, f"Bearer {KEY}", "Bearer dgl_x", f"Bearer {revoked.secret}", f"Bearer {expired}", "Basic abc"]:
        response = http.get("/api/v0/auth/me", headers={"Authorization": header} if header else {})
        assert problem(response) == (401, "not-authenticated", "")
        assert response.headers["www-authenticate"] == 'Bearer realm="diglot"'
        answers.add(response.text.replace(response.headers["x-request-id"], ""))
    assert len(answers) == 1


def _expired(db: Database, user_id: str) -> str:
    """A key that has ended: issued by a database whose clock stands in the past."""
    issued = Database(db.store, db.queries, clock=lambda: datetime(2020, 1, 1, tzinfo=UTC)).api_keys.issue(
        user_id, expires_at=datetime(2020, 1, 2, tzinfo=UTC)
    )
    return issued.secret


def test_two_keys_in_one_request_are_none(db: Database, user: Client) -> None:
    headers = [("Authorization", f"Bearer {user.key}"), ("Authorization", f"Bearer {KEY}")]
    assert problem(user.http.get("/api/v0/auth/me", headers=headers))[0] == 401


def test_a_key_in_the_address_is_no_key(user: Client) -> None:
    assert problem(user.http.get(f"/api/v0/auth/me?key={user.key}"))[0] == 401


def test_authentication_is_one_query(db: Database, user: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the time of use is due: that is noted beside the request."""
    asked = []
    for name in ("rows", "count"):
        run = getattr(type(db.store), name)
        monkeypatch.setattr(type(db.store), name, lambda *a, run=run: asked.append(a[1].query) or run(*a))
    monkeypatch.setattr(uses.Uses, "note", lambda _, key: asked.append(key))
    key = db.api_keys.list(user("GET", "/auth/me").json()["id"]).items[0]
    assert asked[:2] == ["api_keys.find_api_key", key.id]
    db.api_keys.note_use(key.id)
    asked.clear()
    assert user("GET", "/auth/me").status_code == 200
    assert asked == ["api_keys.find_api_key"]


def test_a_request_goes_through_two_threads_and_no_more(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """One to sign in, one for what it is about; guards and checks of parameters need none."""
    sent, submit = [], ThreadPoolExecutor.submit
    monkeypatch.setattr(uses.Uses, "note", lambda *_: None)
    monkeypatch.setattr(
        ThreadPoolExecutor, "submit", lambda self, run, *a, **k: sent.append(run) or submit(self, run, *a, **k)
    )
    assert admin("GET", "/users?limit=1").status_code == 200
    assert len(sent) == 2


def test_the_time_of_use_is_noted_and_nobody_waits_for_it(db: Database, user: Client) -> None:
    with db.transaction() as tx:  # on SQLite nobody else can write now
        owner = tx.users.get_by_email("ada@example.org").id
        assert user("GET", "/auth/me").status_code == 200
        assert tx.api_keys.list(owner).items[0].last_used is None or db.store.dialect == "postgres"
    until(lambda: db.api_keys.list(owner).items[0].last_used)


def test_uses_are_noted_once_at_a_time_and_not_without_end() -> None:
    go, noted = threading.Event(), []

    def note_use(key: str) -> None:
        noted.append(key)
        go.wait(30)

    pending = uses.Uses(note_use, most=2)
    for key in ("a", "a", "b", "c"):
        pending.note(key)
    go.set()
    until(lambda: noted == ["a", "b"])
    until(lambda: pending.note("c") or "c" in noted)
    pending.close()
    assert set(noted) == {"a", "b", "c"}


def test_who_guesses_has_to_wait_and_their_neighbours_do_not(db: Database) -> None:
    good = key_of(db, "a@b.c")
    with serving(db, failures_per_minute=3) as http:
        ask = Client(http)
        for _ in range(3):
            assert problem(ask("GET", "/auth/me", key=KEY))[0] == 401
        refused = ask("GET", "/auth/me", key=KEY)
        assert problem(refused) == (429, "too-many-failures", "")
        assert 1 <= int(refused.headers["retry-after"]) <= 20
        assert ask("GET", "/auth/me", key=good).status_code == 200


def test_a_key_that_is_not_well_formed_costs_no_query_and_is_not_counted(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = key_of(db, "a@b.c")
    with serving(db, failures_per_minute=1) as http:
        ask = Client(http)
        monkeypatch.setattr(ApiKeyRepository, "identify", lambda *_: pytest.fail("it was asked"))
        wrong = [KEY[:-1] + ("a" if KEY[-1] != "a" else "b"), "dgl_x", "x" * 300]
        assert [problem(ask("GET", "/auth/me", key=key))[0] for key in wrong] == [401] * 3
        monkeypatch.undo()
        assert ask("GET", "/auth/me", key=good).status_code == 200


def test_guesses_at_once_are_no_more_than_one_after_another(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    together, identify = threading.Barrier(4), ApiKeyRepository.identify

    def at_once(repository: ApiKeyRepository, secret: str) -> Any:
        together.wait(30)
        return identify(repository, secret)

    monkeypatch.setattr(ApiKeyRepository, "identify", at_once)
    with serving(db, failures_per_minute=2) as http, ThreadPoolExecutor(4) as clients:
        ask = Client(http)
        answers = list(clients.map(lambda _: ask("GET", "/auth/me", key=KEY).status_code, range(4)))
    assert sorted(answers) == [401, 401, 429, 429]


def test_good_keys_are_not_counted(db: Database) -> None:
    with serving(db, failures_per_minute=1) as http:
        ask = Client(http, key_of(db, "a@b.c"))
        assert {ask("GET", "/auth/me").status_code for _ in range(5)} == {200}


def test_failures_are_forgiven_with_time_and_kept_by_address() -> None:
    now = [0.0]
    failures = Failures(20, lambda: now[0])
    for _ in range(20):
        assert failures.wait("10.0.0.1") == 0
        failures.note("10.0.0.1")
    assert failures.wait("10.0.0.1") == 3
    assert failures.wait("10.0.0.2") == 0
    now[0] = 3.0
    assert failures.wait("10.0.0.1") == 0
    for _ in range(20):
        failures.note("2001:db8::1")
    assert failures.wait("2001:db8::ffff") > 0
    assert failures.wait("2001:db8:0:1::1") == 0
    assert failures.wait("testclient") == 0


def test_the_memory_for_failures_is_bounded() -> None:
    failures = Failures(1, lambda: 0.0)
    for number in range(KEPT + 1):
        failures.note(f"client-{number}")
    assert failures.wait("client-0") == 0
    assert failures.wait(f"client-{KEPT}") > 0
    assert len(failures._left) == KEPT


def test_keys_are_shown_once_and_are_ones_own(db: Database, admin: Client, user: Client) -> None:
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    issued = user("POST", "/auth/keys", json={"name": "laptop", "expires_at": until})
    assert issued.status_code == 201
    secret, key = issued.json()["secret"], issued.json()["api_key"]
    assert user("GET", "/auth/me", key=secret).status_code == 200
    listed = user("GET", "/auth/keys")
    assert [item["name"] for item in listed.json()["items"]] == ["laptop", None]
    assert secret not in listed.text
    mine = admin("GET", "/auth/keys").json()["items"][0]["id"]
    assert problem(user("DELETE", f"/auth/keys/{mine}"))[:2] == (404, "not-found")
    assert user("DELETE", f"/auth/keys/{key['id']}").status_code == 204
    assert problem(user("GET", "/auth/me", key=secret))[0] == 401


def test_only_admins_touch_keys_of_others(db: Database, admin: Client, user: Client) -> None:
    me, root = (who("GET", "/auth/me").json()["id"] for who in (user, admin))
    assert problem(user("POST", "/auth/keys", json={"user_id": root}))[:2] == (403, "not-allowed")
    assert problem(user("GET", f"/auth/keys?user_id={root}"))[:2] == (403, "not-allowed")
    assert user("GET", f"/auth/keys?user_id={me}").status_code == 200
    issued = admin("POST", "/auth/keys", json={"user_id": me}).json()
    assert admin("GET", f"/auth/keys?user_id={me}").json()["items"][0]["id"] == issued["api_key"]["id"]
    assert admin("DELETE", f"/auth/keys/{issued['api_key']['id']}").status_code == 204
    assert problem(admin("POST", "/auth/keys", json={"user_id": "nobody"}))[:2] == (404, "not-found")


def test_admins_manage_users(admin: Client) -> None:
    made = admin("POST", "/users", json={"email": " Ada@Example.org "})
    assert (made.status_code, made.json()["email"], made.json()["role"]) == (201, "ada@example.org", "user")
    at = f"/users/{made.json()['id']}"
    assert problem(admin("POST", "/users", json={"email": "ADA@example.org"}))[:2] == (409, "email-exists")
    assert admin("GET", at).json() == made.json()
    assert admin("PATCH", at, json={"role": "admin"}).json()["role"] == "admin"
    assert admin("GET", "/users?limit=1").json()["items"][0]["role"] == "admin"
    assert admin("DELETE", at).status_code == 204
    assert problem(admin("GET", at))[:2] == (404, "not-found")
    root = admin("GET", "/auth/me").json()["id"]
    assert problem(admin("DELETE", f"/users/{root}"))[:2] == (409, "last-admin")
    assert problem(admin("PATCH", f"/users/{root}", json={"role": "user"}))[:2] == (409, "last-admin")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_users_are_for_admins(user: Client, method: str) -> None:
    assert problem(user(method, "/users", json={"email": "x@y.z"}))[:2] == (403, "not-allowed")
    for verb in ("GET", "PATCH", "DELETE"):
        assert problem(user(verb, "/users/any", json={}))[:2] == (403, "not-allowed")


def test_without_authentication_everybody_here_is_an_admin_and_no_other_page(db: Database) -> None:
    with serving(db, auth=False) as http:
        ask = Client(http)
        here = {"Host": "localhost:8080"}
        assert ask("GET", "/auth/me", headers=here).json()["role"] == "admin"
        assert ask("POST", "/users", json={"email": "a@b.c"}, headers=here).status_code == 201
        assert ask("GET", "/users", headers={**here, "Origin": "http://127.0.0.1:3000"}).status_code == 200
        for headers in (
            {"Host": "evil.example"},
            {**here, "Origin": "https://evil.example"},
            {**here, "Origin": "null"},
            {"Host": "[::1"},
            {**here, "Origin": "http://[::1"},
        ):
            assert problem(ask("GET", "/users", headers=headers))[:2] == (403, "not-allowed")
