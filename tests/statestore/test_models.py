"""The models: immutable, slotted, unset where the repository decides; how far the children of a task are."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diglot.statestore import models
from diglot.statestore.models import (
    EXECUTION_TYPES,
    STATUSES,
    STRATEGIES,
    TERMINAL,
    IssuedKey,
    Page,
    Progress,
    StateError,
    TaskState,
    UsageEntry,
    User,
    WorkflowState,
)
from diglot.statestore.project import TREES
from tests.parity.strategies import MANY

AT = datetime(2026, 1, 31, tzinfo=UTC)
WORKFLOW = WorkflowState("w1", "w", "RUNNING")
TASK = TaskState("w1", "t1", "t", "w", "task", "PENDING")
ALL = [
    WORKFLOW,
    TASK,
    UsageEntry("p", "m"),
    StateError("m"),
    User("u", "a@b", "user", AT, AT),
    Progress({}),
    Page([], None),
]


@pytest.mark.parametrize("model", ALL, ids=lambda m: type(m).__name__)
def test_a_model_is_immutable_and_has_no_other_attributes(model):
    field = model.__struct_fields__[0]
    with pytest.raises(AttributeError):
        setattr(model, field, "x")
    with pytest.raises(AttributeError):
        model.surprise = "x"
    assert not hasattr(model, "__dict__")


def test_what_the_repository_decides_is_unset_until_then():
    for state in (WORKFLOW, TASK):
        assert state.version is msgspec.UNSET
        assert state.created_at is msgspec.UNSET
        assert state.updated_at is msgspec.UNSET
    assert WORKFLOW.tasks is None
    assert TASK.execution_type == "basic"


def test_replace_makes_a_changed_copy():
    changed = TASK.replace(status="SUCCESS", output={"a": 1})
    assert (changed.status, changed.output, changed.task_exec_id) == ("SUCCESS", {"a": 1}, "t1")
    assert (TASK.status, TASK.output) == ("PENDING", None)


def test_replace_refuses_an_unknown_field():
    with pytest.raises(TypeError):
        TASK.replace(state="SUCCESS")


def test_models_are_equal_by_value():
    assert TaskState("w1", "t1", "t", "w", "task", "PENDING") == TASK
    assert TASK.replace(input={"a": 1}) != TASK


def test_the_secret_of_a_key_is_beside_its_model_not_in_it():
    assert IssuedKey.__struct_fields__ == ("secret", "api_key")
    assert not {"secret", "hash"} & set(models.ApiKey.__struct_fields__)


def test_a_query_may_return_each_model_of_a_table():
    tables = {"WorkflowState", "TaskState", "User", "ApiKey", "TreeNode"}
    assert tables <= set(TREES.row_models() or {})
    assert all(name == model.__name__ for name, model in (TREES.row_models() or {}).items())


def test_the_values_are_those_of_the_domain():
    assert STATUSES == ("PENDING", "RUNNING", "WAITING", "PAUSED", "SUCCESS", "FAILED", "TIMED_OUT", "CANCELED")
    assert {"SUCCESS", "FAILED", "TIMED_OUT", "CANCELED"} == TERMINAL
    assert models.COMPONENTS == ("workflow", "task", "agent", "tool", "log")
    assert EXECUTION_TYPES == (
        "basic", "router", "parallel", "collection", "composite", "wait", "signal", "aggregate", "memory",
    )  # fmt: skip
    assert models.ROLES == ("admin", "user")
    assert STRATEGIES == ("wait_all", "fail_fast", "best_effort", "race")


# --- progress ---


def progress(*statuses):
    return Progress({status: statuses.count(status) for status in STATUSES})


def test_progress_counts():
    found = progress("RUNNING", "WAITING", "PAUSED", "PENDING", "SUCCESS", "SUCCESS", "FAILED", "TIMED_OUT", "CANCELED")
    assert (found.total, found.running, found.terminal) == (9, 3, 5)
    assert found.completion_rate == 2 / 9
    assert found.failure_rate == 2 / 9


def test_nothing_is_zero_and_pending():
    found = progress()
    assert (found.total, found.running, found.terminal, found.completion_rate, found.failure_rate) == (
        0,
        0,
        0,
        0.0,
        0.0,
    )
    assert {found.overall(strategy) for strategy in STRATEGIES} == {"PENDING"}


#     children                               wait_all   fail_fast  best_effort race
OVERALL = [
    ("PENDING PENDING",                     "PENDING", "PENDING", "PENDING", "PENDING"),
    ("PENDING RUNNING",                     "RUNNING", "RUNNING", "RUNNING", "RUNNING"),
    ("PENDING WAITING",                     "RUNNING", "RUNNING", "RUNNING", "RUNNING"),
    ("PENDING PAUSED",                      "RUNNING", "RUNNING", "RUNNING", "RUNNING"),
    ("PENDING CANCELED",                    "RUNNING", "RUNNING", "RUNNING", "RUNNING"),
    ("PENDING SUCCESS",                     "RUNNING", "RUNNING", "RUNNING", "SUCCESS"),
    ("PENDING FAILED",                      "RUNNING", "FAILED",  "RUNNING", "RUNNING"),
    ("RUNNING TIMED_OUT",                   "RUNNING", "FAILED",  "RUNNING", "RUNNING"),
    ("RUNNING CANCELED",                    "RUNNING", "RUNNING", "RUNNING", "RUNNING"),
    ("RUNNING SUCCESS FAILED",              "RUNNING", "FAILED",  "RUNNING", "SUCCESS"),
    ("SUCCESS",                             "SUCCESS", "SUCCESS", "SUCCESS", "SUCCESS"),
    ("SUCCESS SUCCESS",                     "SUCCESS", "SUCCESS", "SUCCESS", "SUCCESS"),
    ("SUCCESS FAILED",                      "FAILED",  "FAILED",  "SUCCESS", "SUCCESS"),
    ("SUCCESS TIMED_OUT",                   "FAILED",  "FAILED",  "SUCCESS", "SUCCESS"),
    ("SUCCESS CANCELED",                    "FAILED",  "FAILED",  "SUCCESS", "SUCCESS"),
    ("FAILED FAILED",                       "FAILED",  "FAILED",  "FAILED",  "FAILED"),
    ("CANCELED",                            "FAILED",  "FAILED",  "FAILED",  "FAILED"),
    ("CANCELED TIMED_OUT",                  "FAILED",  "FAILED",  "FAILED",  "FAILED"),
]  # fmt: skip


@pytest.mark.parametrize(("children", "wanted"), [(c[0], c[1:]) for c in OVERALL], ids=[c[0] for c in OVERALL])
def test_the_status_of_a_parent_by_each_strategy(children, wanted):
    found = progress(*children.split())
    assert tuple(found.overall(s) for s in ("wait_all", "fail_fast", "best_effort", "race")) == wanted
    assert found.overall() == wanted[0]


@MANY
@given(st.lists(st.sampled_from(sorted(TERMINAL)), min_size=1), st.sampled_from(STRATEGIES))
def test_no_strategy_hangs_when_every_child_is_finished(children, strategy):
    assert progress(*children).overall(strategy) in ("SUCCESS", "FAILED")


@MANY
@given(st.lists(st.sampled_from(STATUSES)), st.sampled_from(STRATEGIES))
def test_rates_and_status_fit_the_counts(children, strategy):
    found = progress(*children)
    assert found.total == len(children)
    assert 0.0 <= found.completion_rate + found.failure_rate <= 1.0
    overall = found.overall(strategy)
    if overall == "SUCCESS":
        assert found.counts["SUCCESS"] > 0
    if overall == "PENDING":
        assert found.counts["PENDING"] == found.total


def test_an_unknown_strategy_is_refused():
    with pytest.raises(ValueError, match="unknown strategy 'first': use one of wait_all, fail_fast, best_effort, race"):
        progress("SUCCESS").overall("first")
