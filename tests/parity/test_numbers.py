"""Numbers and booleans: the same value and the same Python type from both databases, or the same refusal."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diglot.errors import CheckViolation, InvalidValue, WrongType
from diglot.statestore.models import UsageEntry, WorkflowState
from tests.parity.adhoc import count, query, rows, scratch, script, value
from tests.parity.strategies import FEW, floats

LARGEST = 2**53 - 1


@pytest.fixture
def numbers(db):
    """A store with the table scratch (i int, f float, b bool)."""
    scratch(db.store, i="int", f="float", b="bool")
    return db.store


def keep(store, column, number, kind):
    """What comes back of a value that is stored."""
    count(store, "delete from scratch")
    query(store, f"insert into scratch ({column}) values (:x)", "!", types={"x": kind})(store, x=number)
    return value(store, f"select {column} from scratch", kind)


@pytest.mark.parity(20)
@FEW
@given(number=st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, -1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63)]))
def test_64_bit_integers_survive(numbers, number):
    found = keep(numbers, "i", number, "int")
    assert (type(found), found) == (int, number)
    assert value(numbers, "select count(*) as n from scratch where i = :x", "int", x=number) == 1


@pytest.mark.parity(28)
@FEW
@given(number=floats | st.sampled_from([5e-324, 1.7976931348623157e308, 4.99e16, 1e16, 0.1, 1e22, 2.0**53 + 2]))
def test_every_finite_float_survives(numbers, number):
    found = keep(numbers, "f", number, "float")
    assert (type(found), found) == (float, number)
    assert value(numbers, "select count(*) as n from scratch where f = :x", "int", x=number) == 1


@pytest.mark.parity(28)
def test_minus_zero_is_zero(numbers):
    for zero in (-0.0, 0.0, 0):
        found = keep(numbers, "f", zero, "float")
        assert (type(found), found, math.copysign(1, found)) == (float, 0.0, 1.0)


WRONG = {
    ("i", "int"): ["12x", "12", 1.5, 2.0, True, b"1", 2**63, -(2**63) - 1],
    ("f", "float"): ["1.5", True, math.nan, math.inf, -math.inf, 10**400, 2**53 + 1],
    ("b", "bool"): [1, 0, "true", "t", 2],
}


@pytest.mark.parity(18, 19, 21, 27, 30, 32)
def test_a_value_of_another_type_is_refused_before_it_is_sent(numbers):
    for (column, kind), values in WRONG.items():
        for bad in values:
            with pytest.raises(InvalidValue, match=r"^x: "):
                keep(numbers, column, bad, kind)
    assert rows(numbers, "select i from scratch", "int") == []


@pytest.mark.parity(18)
def test_text_in_a_number_is_refused_when_it_is_written_by_hand(numbers):
    for column in ("i", "f"):
        with pytest.raises(WrongType):
            script(numbers, f"insert into scratch ({column}) values ('12x');")


@pytest.mark.parity(30)
def test_booleans_are_true_and_false(numbers):
    for truth in (True, False):
        assert keep(numbers, "b", truth, "bool") is truth
        assert rows(numbers, "select b from scratch where b = :x", "bool", x=truth) == [truth]
        assert rows(numbers, "select b from scratch where b = :x", "bool", x=not truth) == []
    assert value(numbers, "select 1 = 1 as x", "bool") is True
    assert value(numbers, "select exists (select 1 from scratch where i = 9) as x", "bool") is False


@pytest.mark.parity(23)
def test_small_parameters_add_up_to_more_than_16_bits(numbers):
    assert value(numbers, "select cast(:a as bigint) + :b as total", "int", a=30_000, b=30_000) == 60_000
    count(numbers, "insert into scratch (i) values (:a)", a=30_000)
    assert count(numbers, "update scratch set i = i + :b", b=30_000) == 1
    assert rows(numbers, "select i from scratch where i = :a", "int", a=60_000) == [60_000]


@pytest.mark.parity(22)
def test_a_version_never_grows_beyond_what_json_can_say(still):
    still.workflows.upsert(WorkflowState("w1", "w", "RUNNING"))
    count(still.store, "update workflow_states set version = :v", v=LARGEST - 1)
    assert still.workflows.upsert(WorkflowState("w1", "w", "FAILED")).version == LARGEST
    with pytest.raises(CheckViolation) as error:
        still.workflows.upsert(WorkflowState("w1", "w", "SUCCESS"))
    assert error.value.constraint == "ck_workflow_states_version"
    assert still.workflows.get("w1").status == "FAILED"


@pytest.mark.parity(21, 22, 54)
def test_usage_never_adds_up_to_more_than_json_can_say(still):
    still.workflows.upsert(WorkflowState("w1", "w", "RUNNING", usage=[UsageEntry("p", "m", LARGEST - 1)]))
    assert still.workflows.merge_usage("w1", [UsageEntry("p", "m", 1)]).usage[0].prompt_tokens == LARGEST
    for one_more in ([UsageEntry("p", "m", 1)], [UsageEntry("q", "m", LARGEST, 1)]):
        with pytest.raises(InvalidValue, match=r"^usage\[\d\]\.(prompt|total)_tokens: .* beyond"):
            still.workflows.merge_usage("w1", one_more)
    assert [entry.prompt_tokens for entry in still.workflows.get("w1").usage] == [LARGEST]


@pytest.mark.parity(19, 21)
def test_a_version_that_is_no_integer_is_refused(still):
    still.workflows.upsert(WorkflowState("w1", "w", "RUNNING"))
    for version in (1.5, "1", True, 2**63):
        with pytest.raises(InvalidValue, match=r"^version: "):
            still.workflows.save(WorkflowState("w1", "w", "FAILED", version=version))
    assert still.workflows.get("w1").status == "RUNNING"


@pytest.mark.parity(26)
def test_counts_are_integers(still, execution):
    still.tasks.upsert_many([execution("p"), *(execution(f"c{i}", parent_state_id="p") for i in range(3))])
    counts = still.tasks.progress("p").counts
    assert counts["PENDING"] == 3
    assert {type(n) for n in counts.values()} == {int}
    assert type(still.tasks.get("p").version) is int
    assert {type(node.depth) for node in still.tasks.tree("p").nodes} == {int}
