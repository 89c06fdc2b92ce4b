"""Text: compared, sorted, measured and refused the same on both databases."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diglot.errors import CheckViolation, InvalidValue, UniqueViolation
from diglot.statestore.errors import EmailExists, UserNotFound
from diglot.statestore.models import StateError, TaskState, UsageEntry, WorkflowState
from diglot.statestore.repositories.validation import normalise_email
from tests.parity.adhoc import count, query, rows, scratch, value
from tests.parity.strategies import FEW, HOSTILE, text

SAME_EMAIL = [
    ("École@x.fr", "ÉCOLE@X.FR"),
    ("École@x.fr", "E\u0301cole@x.fr"),
    ("Straße@x.de", "STRASSE@x.de"),
    ("ΣΊΣΥΦΟΣ@x.gr", "σίσυφος@x.gr"),
    ("İzmir@x.tr", "i̇zmir@x.tr"),
    ("\u212aelvin@x.org", "kelvin@x.org"),
    ("ﬁx@x.org", "FIX@x.org"),
    ("ｆｕｌｌ＠x.jp", "full@x.jp"),
    (" Ann@x.org\n", "ann@x.org"),
]
OTHER_EMAIL = [
    ("ecole@x.fr", "école@x.fr"),
    ("izmir@x.tr", "ızmir@x.tr"),
    ("izmir@x.tr", "İzmir@x.tr"),
    ("o@x.org", "ø@x.org"),
    ("a@x.org", "а@x.org"),  # the second begins with a Cyrillic letter
]


@pytest.mark.parity(1, 2, 15)
def test_an_email_is_one_in_every_spelling(db):
    for first, second in SAME_EMAIL:
        user = db.users.create(first)
        assert db.users.get_by_email(second) == user
        with pytest.raises(EmailExists):
            db.users.create(second)
        db.users.delete(user.id)
        assert db.users.create(second).email == user.email
        db.users.delete(db.users.get_by_email(first).id)


@pytest.mark.parity(1, 2)
def test_emails_that_differ_stay_apart(db):
    for first, second in OTHER_EMAIL:
        a, b = db.users.create(first), db.users.create(second)
        assert (db.users.get_by_email(first), db.users.get_by_email(second)) == (a, b)
        db.users.delete(a.id)
        with pytest.raises(UserNotFound):
            db.users.get_by_email(first)
        db.users.delete(b.id)


@pytest.mark.parity(2)
@FEW
@given(a=st.sampled_from("eéEÉiİıIßsSKkſﬁ"), b=st.sampled_from("eéEÉiİıIßsSKkſﬁ"))
def test_two_emails_are_one_exactly_when_they_fold_alike(db, a, b):
    first = db.users.create(f"{a}@x.org")
    if normalise_email(f"{a}@x.org") == normalise_email(f"{b}@x.org"):
        with pytest.raises(EmailExists):
            db.users.create(f"{b}@x.org")
    else:
        db.users.delete(db.users.create(f"{b}@x.org").id)
    db.users.delete(first.id)


INSERT_USER = "insert into users (id, email, role) values (:id, :email, 'user')"


@pytest.mark.parity(1, 2)
def test_an_email_that_is_not_folded_is_refused_when_it_is_written_by_hand(db):
    with pytest.raises(CheckViolation) as error:
        count(db.store, INSERT_USER, id="u1", email="Ann@x.org")
    assert error.value.constraint == "ck_users_email"
    # Both know ASCII only, so these two are two on both; Python never writes the first.
    assert count(db.store, INSERT_USER, id="u1", email="É@x.org") == 1
    assert count(db.store, INSERT_USER, id="u2", email="é@x.org") == 1
    with pytest.raises(UniqueViolation):
        count(db.store, INSERT_USER, id="u3", email="é@x.org")


@pytest.mark.parity(6)
def test_hostile_text_sorts_by_code_points(still, execution):
    ids = [h for h in HOSTILE if h.isprintable() or h.strip()] + [chr(c) + chr(0x10FFFF - c) for c in range(0x21, 0x7F)]
    random.Random(6).shuffle(ids)
    assert still.tasks.upsert_many(execution(i) for i in ids) == len(ids)
    assert list(still.tasks.latest("w1")) == sorted(ids)  # order by task_id
    page = still.tasks.list(workflow_exec_id="w1", limit=1000)  # order by created_at, task_exec_id
    assert [task.task_exec_id for task in page.items] == sorted(ids)


@pytest.fixture
def items(db):
    """A store with the table scratch (item text)."""
    scratch(db.store, item="text")
    return db.store


@pytest.mark.parity(6)
@FEW
@given(texts=st.lists(text, min_size=2, max_size=20))
def test_any_text_sorts_and_compares_by_code_points(items, texts):
    count(items, "delete from scratch")
    query(items, "insert into scratch values (:item)", "*!", item="")(items, [{"item": t} for t in texts])
    assert rows(items, "select item from scratch order by item", "text") == sorted(texts)
    assert rows(items, "select item from scratch order by item desc", "text") == sorted(texts, reverse=True)
    pivot = texts[0]
    below = rows(items, "select item from scratch where item < :pivot order by item", "text", pivot=pivot)
    assert below == sorted(t for t in texts if t < pivot)
    assert value(items, "select count(*) as n from scratch where item = :pivot", "int", pivot=pivot) == texts.count(
        pivot
    )


@pytest.mark.parity(15)
def test_forms_of_a_character_are_different_text(still, execution):
    composed, decomposed = "é", "e\u0301"
    still.tasks.upsert_many([execution(composed), execution(decomposed)])
    assert still.tasks.get(decomposed).task_exec_id == decomposed
    assert list(still.tasks.latest("w1")) == [decomposed, composed]


@pytest.mark.parity(7)
def test_length_is_counted_in_characters(db):
    make = "insert into workflow_states (workflow_exec_id, workflow_id, status) values (:id, 'w', 'RUNNING')"
    for character in ("x", "é", "語", "😀"):
        assert count(db.store, make, id=character * 255) == 1
        with pytest.raises(CheckViolation) as error:
            count(db.store, make, id=character * 256)
        assert error.value.constraint == "ck_workflow_states_workflow_exec_id"
        assert value(db.store, "select length(:x) as n", "int", x=character * 255) == 255


@pytest.mark.parity(11)
def test_the_longest_ids_fit_every_index(still):
    # Random, so that PostgreSQL can't compress them.
    letters = random.Random(11)

    def longest(length=220):
        return "".join(chr(letters.randrange(0x10000, 0x110000)) for _ in range(length))

    exec_id, workflow_id, parent, child, task_id, agent = (longest() for _ in range(6))
    still.workflows.upsert(WorkflowState(exec_id, workflow_id, "RUNNING"))
    root = TaskState(exec_id, parent, task_id, workflow_id, "task", "PENDING")
    still.tasks.upsert(root)
    still.tasks.upsert(root.replace(task_exec_id=child, parent_state_id=parent, agent_id=agent, action_id=agent))
    assert [node.task.task_exec_id for node in still.tasks.tree(parent).nodes] == [parent, child]
    with pytest.raises(InvalidValue, match="an id has at most 880 bytes in UTF-8"):
        still.tasks.upsert(root.replace(task_exec_id=longest(221)))


BAD_TEXT = {"a\0b": "text with a NUL character (U+0000) can't be stored",
            "a\ud800": "text with a lone surrogate (U+D800) can't be stored"}  # fmt: skip


@pytest.mark.parity(8, 9, 57, 58)
@pytest.mark.parametrize("bad", BAD_TEXT, ids=ascii)
def test_text_that_one_database_could_not_keep_is_refused_everywhere(still, execution, bad):
    good = execution("t1")
    state = WorkflowState("w1", "w", "RUNNING")
    user = still.users.create("a@x.org")
    calls = {
        "id": lambda: still.users.get(bad),
        "email": lambda: still.users.create(f"{bad}@x.org"),
        "name": lambda: still.api_keys.issue(user.id, name=bad),
        "user_id": lambda: still.api_keys.issue(bad),
        "workflow_exec_id": lambda: still.workflows.upsert(state.replace(workflow_exec_id=bad)),
        "workflow_id": lambda: still.workflows.list(workflow_id=bad),
        "ids[1]": lambda: still.workflows.list(ids=["w1", bad]),
        "input.a[0]": lambda: still.workflows.upsert(state.replace(input={"a": [bad]})),
        "output.x.y": lambda: still.tasks.upsert(good.replace(output={"x": {"y": bad}})),
        "error.message": lambda: still.tasks.upsert(good.replace(error=StateError(bad))),
        "error.details[0]": lambda: still.tasks.upsert(good.replace(error=StateError(details=[bad]))),
        "usage[0].source": lambda: still.tasks.upsert(good.replace(usage=[UsageEntry("p", "m", source=bad)])),
        "states[1].task_id": lambda: still.tasks.upsert_many([good, good.replace(task_id=bad)]),
        "agent_id": lambda: still.tasks.list(agent_id=bad),
        "parent_state_id": lambda: still.tasks.children(bad),
        "task_id": lambda: still.tasks.list(task_id=bad),
    }
    for path, call in calls.items():
        with pytest.raises(InvalidValue) as error:
            call()
        assert (error.value.path, error.value.problem) == (path, BAD_TEXT[bad]), path
    # Nothing of it was written.
    assert still.tasks.list().items == []
    assert still.workflows.get("w1").version == 1
    assert [u.email for u in still.users.list().items] == ["a@x.org"]


@pytest.mark.parity(8, 9)
@pytest.mark.parametrize("bad", BAD_TEXT, ids=ascii)
def test_such_text_is_refused_by_the_query_layer_too(items, bad):
    with pytest.raises(InvalidValue, match=r"^item: "):
        count(items, "insert into scratch values (:item)", item=bad)
    assert rows(items, "select item from scratch", "text") == []
