"""API keys: shown once, found by one query, and the same answer for every key that does not open the door."""

import logging
from datetime import timedelta
from pprint import pformat

import msgspec
import pytest
from rich.pretty import pretty_repr

from diglot.errors import InvalidValue, StatementTimeout, UniqueViolation
from diglot.statestore.database import Database
from diglot.statestore.errors import ApiKeyExpired, ApiKeyNotFound, InvalidApiKey, UserNotFound
from diglot.statestore.models import Page
from diglot.statestore.repositories import key_format


@pytest.fixture
def user(db):
    return db.users.create("ada@x.y")


def test_a_key_opens_the_door(db, user):
    issued = db.api_keys.issue(user.id, name="laptop")
    assert key_format.is_well_formed(issued.secret)
    assert issued.api_key.prefix == issued.secret[:12]
    assert (issued.api_key.name, issued.api_key.user_id, issued.api_key.last_used) == ("laptop", user.id, None)
    assert db.api_keys.authenticate(issued.secret) == user


def test_neither_secret_nor_hash_are_in_what_is_listed(db, user):
    issued = db.api_keys.issue(user.id)
    shown = repr(db.api_keys.list(user.id)) + repr(db.api_keys.get(issued.api_key.id))
    assert issued.secret not in shown
    assert repr(key_format.hash_key(issued.secret)) not in shown
    assert not hasattr(issued.api_key, "hash")


def test_every_key_that_is_not_valid_gets_the_same_answer(db, user, clock):
    revoked = db.api_keys.issue(user.id)
    db.api_keys.revoke(revoked.api_key.id)
    expired = db.api_keys.issue(user.id, expires_at=clock.now + timedelta(seconds=1))
    rotated = db.api_keys.issue(user.id)
    db.api_keys.rotate(rotated.api_key.id)
    gone = db.users.create("gone@x.y")
    orphan = db.api_keys.issue(gone.id)
    db.users.delete(gone.id)
    clock.forward(seconds=1)
    unknown = key_format.make_key(bytes(32))
    broken = rotated.secret[:-1] + ("A" if rotated.secret[-1] != "A" else "B")
    answers = set()
    for key in (revoked.secret, expired.secret, rotated.secret, orphan.secret, unknown, broken, "", "dgl_", None, b"x"):
        with pytest.raises(InvalidApiKey) as error:
            db.api_keys.authenticate(key)
        answers.add(str(error.value))
    assert answers == {"the API key is not valid"}


def test_a_malformed_key_is_refused_without_a_query(db, user):
    secret = db.api_keys.issue(user.id).secret
    db.store.close()
    for key in (secret[:-1], secret + "A", secret[:20] + "é" + secret[21:], secret.replace("dgl_", "xyz_"), "x" * 53):
        with pytest.raises(InvalidApiKey):
            db.api_keys.authenticate(key)


def test_a_key_expires_at_the_moment_it_says(db, user, clock):
    issued = db.api_keys.issue(user.id, expires_at=clock.now + timedelta(seconds=10))
    clock.forward(seconds=9.999999)
    assert db.api_keys.authenticate(issued.secret) == user
    clock.forward(microseconds=1)
    with pytest.raises(InvalidApiKey):
        db.api_keys.authenticate(issued.secret)


def test_an_expiry_that_is_not_in_the_future_is_refused(db, user, clock):
    for at in (clock.now, clock.now - timedelta(days=1), clock.now.replace(tzinfo=None)):
        with pytest.raises(InvalidValue, match="expires_at"):
            db.api_keys.issue(user.id, expires_at=at)


def test_a_key_for_nobody_is_refused(db):
    with pytest.raises(UserNotFound):
        db.api_keys.issue("nobody")


def test_the_time_of_use_is_noted_once_a_minute(db, user, clock):
    issued = db.api_keys.issue(user.id)

    def used_at(**later):
        clock.forward(**later)
        db.api_keys.authenticate(issued.secret)
        return db.api_keys.get(issued.api_key.id).last_used

    first = clock.now
    assert used_at() == first
    assert used_at(seconds=59.999999) == first
    assert used_at(microseconds=1) == first + timedelta(minutes=1)


def test_the_time_of_use_never_goes_back(db, user, clock):
    issued = db.api_keys.issue(user.id)
    clock.forward(hours=1)
    db.api_keys.authenticate(issued.secret)
    noted = clock.now
    clock.forward(minutes=-30)
    db.api_keys.authenticate(issued.secret)
    db.queries.api_keys.touch_api_key(
        db.store, id=issued.api_key.id, now=clock.now, before=clock.now - timedelta(minutes=1)
    )
    assert db.api_keys.get(issued.api_key.id).last_used == noted


class FailingTouch:
    """The queries of a database on which noting the time of use fails."""

    def __init__(self, queries):
        self._queries = queries
        self.max_document = queries.max_document
        self.users, self.workflows, self.tasks = queries.users, queries.workflows, queries.tasks
        self.api_keys = self

    def __getattr__(self, name):
        return getattr(self._queries.api_keys, name)

    def touch_api_key(self, session, **values):
        raise StatementTimeout(query="api_keys.touch_api_key")


def test_authentication_works_when_the_time_of_use_can_not_be_noted(db, user, clock, caplog):
    issued = db.api_keys.issue(user.id)
    failing = Database(db.store, FailingTouch(db.queries), clock=clock)
    with caplog.at_level(logging.WARNING, "diglot.api_keys"):
        assert failing.api_keys.authenticate(issued.secret) == user
        with failing.transaction() as tx:
            assert tx.api_keys.authenticate(issued.secret) == user
            assert tx.users.get(user.id) == user
    assert "could not be recorded" in caplog.text
    assert issued.secret not in caplog.text


def test_a_revoked_key_is_gone(db, user):
    issued = db.api_keys.issue(user.id)
    db.api_keys.revoke(issued.api_key.id)
    for call in (db.api_keys.get, db.api_keys.revoke, db.api_keys.rotate):
        with pytest.raises(ApiKeyNotFound):
            call(issued.api_key.id)


def test_rotation_gives_a_new_secret_for_the_same_key(db, user, clock):
    expires_at = clock.now + timedelta(days=1)
    old = db.api_keys.issue(user.id, name="ci", expires_at=expires_at)
    db.api_keys.authenticate(old.secret)
    clock.forward(seconds=1)
    new = db.api_keys.rotate(old.api_key.id)
    assert new.secret != old.secret
    assert (new.api_key.id, new.api_key.name, new.api_key.expires_at) == (old.api_key.id, "ci", expires_at)
    assert (new.api_key.created_at, new.api_key.last_used) == (clock.now, None)
    assert db.api_keys.authenticate(new.secret) == user
    with pytest.raises(InvalidApiKey):
        db.api_keys.authenticate(old.secret)


def test_keys_are_listed_newest_first_and_paged(db, user, clock):
    ids = []
    for _ in range(5):
        clock.forward(seconds=1)
        ids.append(db.api_keys.issue(user.id).api_key.id)
    other = db.users.create("other@x.y")
    db.api_keys.issue(other.id)
    first = db.api_keys.list(user.id, limit=3)
    second = db.api_keys.list(user.id, limit=3, after=first.next)
    assert [key.id for key in first.items + second.items] == ids[::-1]
    assert second.next is None


def test_a_prefix_that_is_taken_makes_a_new_secret(db, user, clock):
    taken = [bytes(32), bytes(31) + b"x", bytes(32)]  # the first two have the same first twelve characters
    fresh = [bytes([i]) * 32 for i in range(1, 9)]

    def from_list(randoms):
        left = list(randoms)
        return Database(db.store, db.queries, clock=clock, random=lambda n: left.pop(0))

    from_list(taken[:1]).api_keys.issue(user.id)
    second = from_list([*taken, *fresh]).api_keys.issue(user.id)
    assert second.secret == key_format.make_key(fresh[0])
    with from_list([*taken, *fresh[1:]]).transaction() as tx:
        third = tx.api_keys.issue(user.id)
        assert tx.api_keys.authenticate(third.secret) == user
    with pytest.raises(UniqueViolation):
        from_list(taken * 2).api_keys.rotate(second.api_key.id)
    assert db.api_keys.authenticate(second.secret) == user


def test_an_expired_key_is_not_rotated(db, user, clock):
    old = db.api_keys.issue(user.id, name="ci", expires_at=clock.now + timedelta(seconds=10))
    clock.forward(seconds=9)
    new = db.api_keys.rotate(old.api_key.id)
    clock.forward(seconds=1)
    expiry = new.api_key.expires_at.isoformat(timespec="seconds")
    with pytest.raises(ApiKeyExpired) as refused:
        db.api_keys.rotate(new.api_key.id)
    assert str(refused.value) == f"API key {new.api_key.id!r} expired at {expiry}: issue a new one"
    with pytest.raises(ApiKeyExpired), db.transaction() as tx:
        tx.api_keys.rotate(new.api_key.id)
    assert db.api_keys.get(new.api_key.id) == new.api_key, "nothing was changed"


def test_no_repr_shows_the_key(db, user):
    issued = db.api_keys.issue(user.id)
    shown = [repr(issued), str(issued), f"{issued}", pformat(issued), pformat({"k": [issued]}), pretty_repr(issued)]
    shown += [pretty_repr([issued]), repr(issued.replace(api_key=None)), repr(Page([issued], None))]
    for text in shown:
        assert issued.secret not in text
        assert "***" in text
    assert issued.secret in msgspec.json.encode(issued).decode(), "who asks for the fields gets them"
