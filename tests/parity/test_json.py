"""Documents: the same value from both databases, exactly, or the same refusal with the path of what can't be kept."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diglot.errors import CheckViolation, ConstraintViolation, InvalidValue
from diglot.sql.canonical_json import MAX_INTEGER, parse
from diglot.statestore.models import StateError, UsageEntry, WorkflowState
from tests.parity.adhoc import count, query, rows, scratch, script
from tests.parity.strategies import FEW, HOSTILE, floats, integers, json_objects
from tests.sql.test_canonical_json import assert_same_types


def through(db, document):
    """What comes back of a document that is stored, from the answer of the write and from a read."""
    written = db.workflows.upsert(WorkflowState("w1", "w", "RUNNING", input=document)).input
    found = db.workflows.get("w1", with_tasks=False).input
    assert written == found
    assert_same_types(written, found)
    return found


@pytest.mark.parity(52, 53, 64)
@FEW
@given(document=json_objects)
def test_any_document_survives(still, document):
    found = through(still, document)
    assert found == document
    assert_same_types(found, json.loads(json.dumps(document)))


@pytest.mark.parity(28, 53)
@FEW
@given(numbers=st.lists(floats, min_size=5, max_size=20))
def test_every_finite_float_survives(still, numbers):
    found = through(still, {"numbers": numbers})["numbers"]
    assert found == numbers
    assert {type(n) for n in found} == {float}


# jsonb expands these to integers, keeps a trailing zero, or has no minus zero.
FLOATS = [
    *(4.99e16, 1e16, -1e16, 1e22, 1e308, -1e308, 1.7976931348623157e308, 5e-324, 2.2250738585072014e-308, 0.1, 1e-7),
    *(100.0, 1.0, 0.0, 1e15, 9.1e15, 2.0**53, 2.0**53 + 2, 2.0**63, 2.0**64, 123456789012345680.0, 0.1 + 0.2),
]


@pytest.mark.parity(35, 52, 53)
def test_a_float_is_the_same_float_wherever_it_stands(still):
    document = {"list": FLOATS, "by name": {repr(n): n for n in FLOATS}, "deep": [[{"n": n}] for n in FLOATS]}
    found = through(still, document)
    assert found == document
    assert_same_types(found, document)
    error = StateError(details={"n": FLOATS})
    still.workflows.upsert(WorkflowState("w1", "w", "FAILED", output=document, error=error))
    state = still.workflows.get("w1")
    assert (state.output, state.error) == (document, error)
    assert_same_types(state.error.details, error.details)


@pytest.mark.parity(28, 53)
def test_minus_zero_is_zero(still):
    (found,) = through(still, {"n": [-0.0]})["n"]
    assert (type(found), math.copysign(1, found)) == (float, 1.0)


@pytest.mark.parity(53, 54)
@FEW
@given(numbers=st.lists(integers | st.sampled_from([MAX_INTEGER, -MAX_INTEGER, 0, 2**31, 2**32]), min_size=5))
def test_integers_survive_as_integers(still, numbers):
    found = through(still, {"numbers": numbers})["numbers"]
    assert found == numbers
    assert {type(n) for n in found} == {int}


TEXTS = [*HOSTILE, "", "\t\r\n", "\x01\x1f\x7f", "\u2028\u2029", "\\u0041", "\\", '"', "/", "</script>"]


@pytest.mark.parity(52, 57, 60)
def test_text_of_every_plane_survives_as_value_and_as_key(still):
    planes = "".join(chr(plane * 0x10000 + c) for plane in range(17) for c in (0x21, 0x4E00, 0xFFFD))
    document = {"planes": planes, "list": TEXTS, "keys": dict.fromkeys([*TEXTS, planes, "k" * 5000], 1)}
    assert through(still, document) == document


@pytest.mark.parity(60)
def test_odd_keys_are_only_keys(still):
    keys = ["", ".", "$", "$.a", "a.b", "[0]", "0", "-1", "#", "*", "@", "'", '"', "\\", "->", "null", "a" * 10_000]
    document = {key: {key: [key]} for key in keys}
    assert through(still, document) == document


REFUSED = [
    ({"a": 2**53}, "input.a", "the integer 9007199254740992 is beyond ±(2^53 - 1): send it as text"),
    ({"a": [-(2**64)]}, "input.a[0]", "the integer -18446744073709551616 is beyond ±(2^53 - 1): send it as text"),
    ({"a": {"b": math.nan}}, "input.a.b", "nan is not a JSON number"),
    ({"a": [0, math.inf]}, "input.a[1]", "inf is not a JSON number"),
    ({"a": "\0"}, "input.a", "text with a NUL character (U+0000) can't be stored"),
    ({"a\0": 1}, r"input.a\x00", "text with a NUL character (U+0000) can't be stored"),
    ({"a": ["\udc00"]}, "input.a[0]", "text with a lone surrogate (U+DC00) can't be stored"),
    ({1: "a"}, "input", "the key 1 is not text"),
    ({"a": {1, 2}}, "input.a", "a set can't be written as JSON"),
    ([1], "input", "a JSON object (dict) is needed, not list"),
    ("{}", "input", "a JSON object (dict) is needed, not str"),
]  # fmt: skip


@pytest.mark.parity(53, 54, 55, 56, 57, 58)
def test_what_one_database_could_not_keep_is_refused_everywhere(still, execution):
    task = execution("t1")
    for bad, path, problem in REFUSED:
        for store in (
            lambda bad=bad: still.workflows.upsert(WorkflowState("w1", "w", "FAILED", input=bad)),
            lambda bad=bad: still.tasks.upsert(task.replace(input=bad)),
            lambda bad=bad: still.tasks.save(task.replace(input=bad)),
        ):
            with pytest.raises(InvalidValue) as error:
                store()
            assert (error.value.path, error.value.problem) == (path, problem)
    assert still.workflows.get("w1").status == "RUNNING"
    assert still.tasks.list().items == []


@pytest.mark.parity(51, 55, 56)
@pytest.mark.parametrize("text", ['{"a": 1, "b": 2, "a": 1}', '{"a": 1e400}', '{"a": NaN}', '{"a": -Infinity}'])
def test_text_that_the_databases_would_read_differently_is_refused_before_it_is_a_document(text):
    # A document comes as a value; where it comes as text (a file, a request), it is read by this.
    with pytest.raises(InvalidValue):
        parse(text, "input")


def depth(document):
    if isinstance(document, dict):
        return 1 + max(map(depth, document.values()), default=0)
    return 1 + max(map(depth, document), default=0) if isinstance(document, list) else 0


@pytest.mark.parity(62)
def test_64_levels_are_stored_and_65_refused(still, execution):
    deep = {}
    while depth(deep) < 64:
        deep = {"a": [deep]} if depth(deep) < 63 else {"a": deep}
    assert depth(deep) == 64
    assert through(still, deep) == deep
    still.tasks.upsert(execution("t1", status="SUCCESS", input=deep, output=deep))
    assert still.tasks.get("t1").output == deep
    # The output of the workflow holds the task's two levels down.
    assert still.workflows.complete("w1").output == {"t1": {"output": deep}}
    for store in (
        lambda: still.workflows.upsert(WorkflowState("w1", "w", "RUNNING", input={"a": deep})),
        lambda: still.tasks.upsert(execution("t2", output={"a": deep})),
        lambda: still.tasks.upsert(execution("t2", error=StateError(details=[deep]))),
    ):
        with pytest.raises(InvalidValue, match="levels of objects and arrays"):
            store()


def test_a_document_of_a_megabyte_survives(still, execution):
    big = {
        "text": "é😀\u0301" * 100_000,
        "numbers": list(range(60_000)),
        "objects": [{"k": f"v{i}"} for i in range(20_000)],
    }
    assert len(json.dumps(big, ensure_ascii=False).encode()) > 2**20
    assert through(still, big) == big
    still.tasks.upsert(execution("t1", output=big))
    assert still.tasks.get("t1").output == big


@pytest.mark.parity(52)
def test_the_order_of_keys_and_the_spelling_of_numbers_are_not_part_of_a_value(still):
    assert through(still, {"b": 1, "a": 1.0}) == {"a": 1.0, "b": 1}
    assert list(through(still, {"bb": 1, "a": 2, "ccc": 3})) in (["a", "bb", "ccc"], ["bb", "a", "ccc"])


@pytest.mark.parity(65)
def test_null_inside_of_a_document_is_not_a_missing_document(still, execution):
    still.workflows.upsert(WorkflowState("w1", "w", "RUNNING", input={"a": None}, output={}, usage=[]))
    state = still.workflows.get("w1")
    assert (state.input, state.output, state.usage, state.error) == ({"a": None}, {}, [], None)
    still.workflows.upsert(WorkflowState("w1", "w", "RUNNING"))
    state = still.workflows.get("w1")
    assert (state.input, state.output, state.usage, state.error) == (None, None, None, None)
    still.tasks.upsert(execution("t1", error=StateError(), output={"a": [None]}))
    task = still.tasks.get("t1")
    assert (task.error, task.output, task.input) == (StateError(), {"a": [None]}, None)


@pytest.mark.parity(64)
def test_documents_come_back_as_values_of_their_types(still):
    usage = [UsageEntry("p", "m", 1, 2, 3, agent_ids=["a"], source="s"), UsageEntry("q", "m")]
    still.workflows.upsert(WorkflowState("w1", "w", "FAILED", usage, {}, {"a": []}, StateError("m", "c", {"d": 1})))
    state = still.workflows.get("w1")
    assert state.usage == usage
    assert state.error == StateError("m", "c", {"d": 1})
    assert (type(state.input), type(state.output["a"])) == (dict, list)


BY_HAND = {
    "input": ["null", "[]", "1", '"x"', "true"],
    "output": ["null", "[]"],
    "error": ["null", "[]"],
    "usage": ["null", "{}", "1"],
}
UPDATE = "update workflow_states set {} = '{}' where workflow_exec_id = 'w1'"


@pytest.mark.parity(65)
def test_a_document_of_another_kind_is_refused_when_it_is_written_by_hand(still):
    still.workflows.upsert(WorkflowState("w1", "w", "RUNNING"))
    for column, texts in BY_HAND.items():
        for text in texts:
            with pytest.raises(CheckViolation) as error:
                count(still.store, UPDATE.format(column, text))
            assert error.value.constraint == f"ck_workflow_states_{column}"


@pytest.mark.parity(56, 63)
def test_what_is_no_json_is_refused_when_it_is_written_by_hand(still):
    # PostgreSQL says that it is no value of its type, SQLite that it fails the check: both refuse the value.
    still.workflows.upsert(WorkflowState("w1", "w", "RUNNING"))
    for text in ("", "{", "{'a': 1}", '{"a": NaN}', '{"a": Infinity}', "{} {}"):
        with pytest.raises(ConstraintViolation):
            count(still.store, UPDATE.format("input", text.replace("'", "''")))
    assert still.workflows.get("w1").input is None


@pytest.mark.parity(98)
def test_arrays_keep_their_order(db):
    scratch(db.store, document="json")
    items = [3, 1, 2, "z", "a", {"b": 1, "a": 2}, None, True]
    query(db.store, "insert into scratch values (:d)", "!", types={"d": "json"})(db.store, d=items)
    assert rows(db.store, "select document from scratch", "json") == [items]


@pytest.mark.parity(57, 58, 60)
def test_json_written_by_hand_is_decoded_the_same(db):
    scratch(db.store, document="json")
    script(
        db.store,
        r"""insert into scratch values ('{ "b" : 1.0, "a" : [1E2, 1e16, -1e-2], "\u00e9" : "\ud83d\ude00" }');""",
    )
    (found,) = rows(db.store, "select document from scratch", "json")
    assert found == {"a": [100.0, 1e16, -0.01], "b": 1.0, "é": "😀"}
