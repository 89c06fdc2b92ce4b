"""Users: one address one user, on both databases alike, and never a store without an admin."""

import threading
import unicodedata

import pytest

from diglot.errors import InvalidValue
from diglot.sql.session import Statement
from diglot.statestore.errors import AlreadyBootstrapped, EmailExists, LastAdmin, UserNotFound


def test_create_gives_the_user_as_stored(db, clock):
    user = db.users.create("  Ada@Example.COM ", role="admin")
    assert (user.email, user.role, user.created_at, user.updated_at) == (
        "ada@example.com",
        "admin",
        clock.now,
        clock.now,
    )
    assert db.users.get(user.id) == user


@pytest.mark.parametrize("spelling", ["ada@example.com", "ADA@EXAMPLE.COM", " Ada@example.com\t", "ａｄａ@example.com"])
def test_an_address_is_found_in_any_spelling(db, spelling):
    user = db.users.create("Ada@Example.com")
    assert db.users.get_by_email(spelling) == user


@pytest.mark.parametrize(
    ("first", "second"),
    [("a@b.c", "A@B.C"), ("École@x.fr", "éCOLE@x.fr"), ("straße@x.de", "STRASSE@x.de"), ("İ@x.tr", "i̇@x.tr")],
)
def test_an_address_is_taken_in_any_spelling(db, first, second):
    db.users.create(first)
    with pytest.raises(EmailExists):
        db.users.create(second)
    assert len(db.users.list().items) == 1


@pytest.mark.parametrize(
    "email",
    [
        *["", "ada", "@x", "a@", "a@b@c", "a b@c", "a\0@b", "a@\ud800", "a@b\n", 7],
        *["a@b..de", ".@.", ".a@b", "a.@b", "a..b@c", "a@.b", "a@b.", "@", ".@b"],
        *[
            "a\u200b@b",
            "a@b\u200d",
            "\u202ea@b",
            "a\u00ad@b",
            "a\u3164@b",
            "a\u2800@b",
            "a\ufe0f@b",
            "a\u2028@b",
            "a\ue000@b",
        ],
        *["x" * 253 + "@y", "x" * 320 + "@y"],
    ],
)
def test_what_is_no_address_is_refused(db, email):
    if email == "a@b\n":
        assert db.users.create(email).email == "a@b"
        return
    with pytest.raises(InvalidValue, match="email"):
        db.users.create(email)
    assert db.users.list().items == []


def test_an_unknown_role_is_refused(db):
    with pytest.raises(InvalidValue, match="role: 'root' is not one of admin, user"):
        db.users.create("a@b.c", role="root")


def test_update_changes_only_what_is_given(db, clock):
    user = db.users.create("a@b.c")
    clock.forward(seconds=1)
    changed = db.users.update(user.id, email="New@b.c")
    assert (changed.email, changed.role, changed.created_at, changed.updated_at) == (
        "new@b.c",
        "user",
        user.created_at,
        clock.now,
    )
    assert db.users.update(user.id, role="admin").email == "new@b.c"
    assert db.users.update(user.id) == db.users.get(user.id)


def test_update_refuses_an_address_that_is_taken(db):
    db.users.create("a@b.c")
    user = db.users.create("x@y.z")
    with pytest.raises(EmailExists, match=r"a@b\.c"):
        db.users.update(user.id, email="A@B.C")
    assert db.users.get(user.id) == user


def test_what_is_not_there_is_user_not_found(db):
    for call in (
        lambda: db.users.get("nobody"),
        lambda: db.users.get_by_email("no@body.x"),
        lambda: db.users.update("nobody", email="a@b.c"),
        lambda: db.users.update("nobody", role="user"),
        lambda: db.users.delete("nobody"),
    ):
        with pytest.raises(UserNotFound, match="no user"):
            call()


def test_delete_takes_the_keys_along(db):
    user = db.users.create("a@b.c")
    db.api_keys.issue(user.id)
    db.users.delete(user.id)
    assert db.users.list().items == []
    assert db.api_keys.list(user.id).items == []


def test_list_is_newest_first_and_paged(db, clock):
    users = []
    for i in range(5):
        if i != 2:
            clock.forward(seconds=1)
        users.append(db.users.create(f"u{i}@x.y"))
    newest_first = sorted(users, key=lambda user: (user.created_at, user.id), reverse=True)
    page = db.users.list(limit=2)
    seen = list(page.items)
    while page.next:
        page = db.users.list(limit=2, after=page.next)
        seen += page.items
    assert seen == newest_first


@pytest.mark.parametrize("limit", [0, -1, 1001, 1.5, True, "5", None])
def test_a_limit_out_of_range_is_refused(db, limit):
    with pytest.raises(InvalidValue, match="limit"):
        db.users.list(limit=limit)


def test_the_last_admin_stays(db):
    first = db.users.create("a@b.c", role="admin")
    with pytest.raises(LastAdmin):
        db.users.delete(first.id)
    with pytest.raises(LastAdmin):
        db.users.update(first.id, role="user")
    assert db.users.get(first.id) == first
    second = db.users.create("x@y.z", role="admin")
    db.users.delete(first.id)
    with pytest.raises(LastAdmin):
        db.users.update(second.id, role="user", email="other@y.z")
    assert db.users.update(second.id, role="admin", email="other@y.z").email == "other@y.z"


def test_two_admins_that_remove_each_other_at_once_leave_one(db):
    for round_ in range(5):
        pair = [db.users.create(f"{round_}-{i}@x.y", role="admin") for i in range(2)]
        for user in db.users.list().items:
            if user.role == "admin" and user not in pair:
                db.users.update(user.id, role="user")
        outcomes = at_once([lambda u=user: db.users.delete(u.id) for user in pair])
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["LastAdmin", "NoneType"]
        assert len([u for u in db.users.list().items if u.role == "admin"]) == 1


def test_the_first_admin_comes_with_a_key(db):
    user, issued = db.users.create_first_admin("Admin@x.y", key_name="first")
    assert (user.email, user.role) == ("admin@x.y", "admin")
    assert issued.api_key.name == "first"
    assert db.api_keys.authenticate(issued.secret) == user


def test_a_second_first_admin_is_refused(db):
    db.users.create_first_admin("a@x.y")
    with pytest.raises(AlreadyBootstrapped):
        db.users.create_first_admin("b@x.y")
    assert len(db.users.list().items) == 1


def test_the_first_admin_and_its_key_are_made_both_or_neither(db):
    db.users.create("taken@x.y")
    with pytest.raises(EmailExists):
        db.users.create_first_admin("taken@x.y")
    with pytest.raises(InvalidValue):
        db.users.create_first_admin("new@x.y", key_name="x" * 256)
    assert [user.email for user in db.users.list().items] == ["taken@x.y"]


def test_of_many_first_admins_at_once_exactly_one_succeeds(db):
    outcomes = at_once([lambda i=i: db.users.create_first_admin(f"{i}@x.y") for i in range(8)])
    refused = [outcome for outcome in outcomes if isinstance(outcome, AlreadyBootstrapped)]
    assert len(refused) == 7
    assert len(db.users.list().items) == 1


def at_once(calls):
    """Runs the calls in threads that start together; what each returned or raised."""
    outcomes = [None] * len(calls)
    barrier = threading.Barrier(len(calls))

    def run(i):
        barrier.wait()
        try:
            outcomes[i] = calls[i]()
        except Exception as error:
            outcomes[i] = error

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return outcomes


def test_an_address_of_254_characters_is_the_longest(db):
    longest = "x" * 250 + "@y.z"
    assert len(longest) == 254
    assert db.users.create(longest).email == longest


@pytest.mark.parametrize("email", ["a@b..de", "x" * 300 + "@y.z", "a\u3164@b"])
def test_an_address_that_would_be_refused_today_is_still_found_changed_and_deleted(db, email):
    """It may have been stored before the rule came."""
    user = db.users.create("ada@example.org")
    old = {"postgres": "update users set email = $1 where id = $2", "sqlite": "update users set email = ? where id = ?"}
    stored = unicodedata.normalize("NFKC", email)
    db.store.count(Statement("test.old", old[db.store.dialect], writes=True), (stored, user.id))
    assert db.users.get_by_email(email).id == user.id
    assert [found.email for found in db.users.list().items] == [stored]
    assert db.users.update(user.id, role="user").email == stored
    db.users.delete(user.id)
