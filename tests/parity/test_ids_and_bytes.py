"""Ids and bytes: text is text and bytes are bytes, ids are the application's own."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diglot.errors import InvalidValue, NotNullViolation, WrongType
from diglot.statestore.errors import TaskNotFound
from diglot.statestore.models import WorkflowState
from diglot.statestore.repositories.key_format import hash_key
from tests.parity.adhoc import count, query, rows, scratch, script, value
from tests.parity.strategies import FEW, HOSTILE, ids


@pytest.mark.parity(46)
def test_an_id_is_text_and_its_case_counts(still, execution):
    lower = "0190f5a0-0000-7000-8000-00000000abcd"
    still.tasks.upsert_many([execution(lower, task_id="lower"), execution(lower.upper(), task_id="upper")])
    assert still.tasks.get(lower).task_id == "lower"
    assert still.tasks.get(lower.upper()).task_id == "upper"
    with pytest.raises(TaskNotFound):
        still.tasks.get(lower.replace("abcd", "aBcd"))
    assert type(still.tasks.get(lower).task_exec_id) is str


@pytest.mark.parity(46)
def test_a_new_id_is_text_in_lower_case(db):
    made = db.users.create("a@x.org").id
    assert type(made) is str
    assert str(uuid.UUID(made)) == made
    with pytest.raises(InvalidValue, match=r"^id: an id is text, not UUID$"):
        db.users.get(uuid.UUID(made))


@pytest.mark.parity(46)
@FEW
@given(made=st.lists(ids, min_size=1, max_size=5, unique=True) | st.lists(st.sampled_from(HOSTILE), unique=True))
def test_ids_of_other_systems_come_back_as_they_are(still, execution, made):
    made = [i for i in made if i]
    still.workflows.upsert(WorkflowState("w1", "w", "RUNNING"))
    states = [execution(i, task_id=i, tool_id=i) for i in made]
    still.tasks.upsert_many(states)
    assert [task.tool_id for task in still.tasks.get_many(made)] == made
    for i in made:
        assert [task.task_exec_id for task in still.tasks.list(workflow_exec_id="w1", tool_id=i).items] == [i]
    still.workflows.delete("w1")


@pytest.mark.parity(47)
def test_an_id_is_never_given_twice(db):
    seen = set()
    for _ in range(5):
        user = db.users.create("a@x.org")
        db.users.delete(user.id)
        seen.add(user.id)
    assert len(seen) == 5


@pytest.mark.parity(48)
def test_a_key_that_is_null_is_refused(db):
    workflow = "insert into workflow_states (workflow_exec_id, workflow_id, status) values (:id, 'w', 'FAILED')"
    user = "insert into users (id, email, role) values (:id, 'a@x.org', 'user')"
    for sql, column in ((workflow, "workflow_states.workflow_exec_id"), (user, "users.id")):
        with pytest.raises(NotNullViolation) as error:
            count(db.store, sql, id=None)
        assert error.value.constraint == column


@pytest.fixture
def kinds(db):
    """A store with the table scratch (t text, b bytes)."""
    scratch(db.store, t="text", b="bytes")
    return db.store


@pytest.mark.parity(49, 50)
@FEW
@given(data=st.binary(max_size=300) | st.sampled_from([b"", b"\0", bytes(range(256)), b"\\x41", b"a" * 100_000]))
def test_bytes_survive(kinds, data):
    count(kinds, "delete from scratch")
    count(kinds, "insert into scratch (b) values (:b)", b=data)
    found = value(kinds, "select b from scratch", "bytes")
    assert (type(found), found) == (bytes, data)
    assert value(kinds, "select count(*) as n from scratch where b = :b", "int", b=data) == 1


@pytest.mark.parity(49)
def test_bytes_are_no_text_and_text_is_no_bytes(kinds):
    for column, kind, bad in (("t", "text", b"abc"), ("b", "bytes", "abc"), ("b", "bytes", bytearray(b"abc"))):
        with pytest.raises(InvalidValue, match=r"^x: "):
            query(kinds, f"insert into scratch ({column}) values (:x)", "!", types={"x": kind})(kinds, x=bad)
    assert rows(kinds, "select t from scratch", "text") == []


@pytest.mark.parity(49, 50)
def test_text_in_bytes_is_refused_when_it_is_written_by_hand(kinds):
    # PostgreSQL reads the quoted text as bytes, where its form is right: this one is wrong for both.
    with pytest.raises(WrongType):
        script(kinds, "insert into scratch (b) values ('\\x4');")
    with pytest.raises(WrongType):
        script(kinds, "insert into scratch (b) values (12);")


@pytest.mark.parity(49)
def test_a_keys_hash_comes_back_as_bytes(db):
    user = db.users.create("a@x.org")
    secret = db.api_keys.issue(user.id).secret
    assert db.api_keys.authenticate(secret) == user
    assert value(db.store, "select hash from api_keys", "bytes") == hash_key(secret)
