"""What may be stored: every rule refuses with the path of the value, before anything reaches a database."""

import math
import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from diglot.errors import InvalidValue
from diglot.statestore.models import (
    COMPONENTS,
    EXECUTION_TYPES,
    ROLES,
    STATUSES,
    StateError,
    TaskState,
    UsageEntry,
    WorkflowState,
)
from diglot.statestore.repositories.validation import (
    check_error,
    check_execution_type,
    check_id,
    check_name,
    check_object,
    check_optional_id,
    check_role,
    check_status,
    check_usage,
    normalise_email,
    task_parameters,
    workflow_parameters,
)
from tests.parity.strategies import HOSTILE, MANY, ids

AT = datetime(2026, 1, 31, 10, 5, 7, 123, timezone(timedelta(hours=1)))
NOW = datetime(2026, 2, 1, tzinfo=UTC)


def refused(call, *arguments):
    with pytest.raises(InvalidValue) as error:
        call(*arguments)
    return error.value.path, error.value.problem


# --- ids ---


@MANY
@given(ids)
def test_any_text_without_control_characters_is_an_id(value):
    assert check_id(value, "id") == value


@pytest.mark.parametrize("value", [*HOSTILE, "x" * 255, "語" * 255, "😀" * 220], ids=lambda v: ascii(v)[:30])
def test_ids_of_other_systems_are_kept_as_they_are(value):
    assert check_id(value, "id") == value


BAD_IDS = [
    ("number", 5, "an id is text, not int"),
    ("None", None, "an id is text, not NoneType"),
    ("bytes", b"a", "an id is text, not bytes"),
    ("empty", "", "an id has 1 to 255 characters, not 0"),
    ("256", "x" * 256, "an id has 1 to 255 characters, not 256"),
    ("NUL", "a\0", "text with a NUL character (U+0000) can't be stored"),
    ("surrogate", "\udc00", "text with a lone surrogate (U+DC00) can't be stored"),
    ("tab", "a\tb", "an id can't have control characters"),
    ("line end", "a\n", "an id can't have control characters"),
    ("DEL", "\x7f", "an id can't have control characters"),
    ("C1", "\x85", "an id can't have control characters"),
    ("221 emoji", "😀" * 221, "an id has at most 880 bytes in UTF-8, not 884"),
    ("long with a surrogate", "x" * 250 + "\ud800", "text with a lone surrogate (U+D800) can't be stored"),
]


@pytest.mark.parametrize(("value", "problem"), [c[1:] for c in BAD_IDS], ids=[c[0] for c in BAD_IDS])
def test_what_is_no_id_is_refused(value, problem):
    assert refused(check_id, value, "task_id") == ("task_id", problem)
    if value is not None:
        assert refused(check_optional_id, value, "agent_id") == ("agent_id", problem)
        assert refused(check_name, value) == ("name", problem)


def test_an_optional_id_may_be_missing():
    assert check_optional_id(None, "agent_id") is None
    assert check_name(None) is None
    assert check_name("laptop") == "laptop"


@pytest.mark.parametrize(
    ("check", "values"), [(check_status, STATUSES), (check_role, ROLES), (check_execution_type, EXECUTION_TYPES)]
)
def test_only_the_values_of_the_domain_are_taken(check, values):
    assert [check(value) for value in values] == list(values)
    for wrong in ("", values[0].swapcase(), values[0] + " ", 1, None, ["x"], values):
        _, problem = refused(check, wrong)
        assert problem == f"{wrong!r} is not one of {', '.join(values)}"


# --- e-mail ---

EMAILS = [
    ("a@b", "a@b"),
    ("  Ann@Example.COM\n", "ann@example.com"),
    ("ÉCOLE@x.fr", "école@x.fr"),
    ("E\u0301cole@x.fr", "école@x.fr"),
    ("Straße@x.de", "strasse@x.de"),
    ("ΣΊΣΥΦΟΣ@x.gr", "σίσυφοσ@x.gr"),
    ("İ@x.tr", "i̇@x.tr"),
    ("ı@x.tr", "ı@x.tr"),
    ("ｆｕｌｌ＠ｘ．ｊｐ", "full@x.jp"),
    ("\u212aelvin@x.org", "kelvin@x.org"),
    ("ﬁ@x.org", "fi@x.org"),
    ("x" * 252 + "@b", "x" * 252 + "@b"),
    ("a+b'c\"d@[::1]", "a+b'c\"d@[::1]"),
]


@pytest.mark.parametrize(("given_email", "stored"), EMAILS, ids=[ascii(e[0])[:30] for e in EMAILS])
def test_an_email_is_trimmed_and_folded(given_email, stored):
    assert normalise_email(given_email) == stored
    assert normalise_email(stored) == stored


visible = st.characters(exclude_categories=("C", "Z"), exclude_characters="@.")
parts = st.lists(st.text(visible, min_size=1, max_size=6), min_size=1, max_size=3).map(".".join)
emails = st.builds(lambda a, b: f"{a}@{b}", parts, parts)


def folded(email):
    try:
        return normalise_email(email)
    except InvalidValue:
        assume(False)


@MANY
@given(emails)
def test_folding_an_email_twice_is_folding_it_once(email):
    once = folded(email)
    assert normalise_email(once) == once


@MANY
@given(emails)
def test_an_email_is_the_same_in_every_form_and_in_ascii_case(email):
    once = folded(email)
    for same in (
        unicodedata.normalize("NFC", email),
        unicodedata.normalize("NFD", email),
        f" {email}\t",
        "".join(c.upper() if c.isascii() else c for c in email),
        "".join(c.lower() if c.isascii() else c for c in email),
    ):
        assert normalise_email(same) == once


@MANY
@given(emails)
def test_a_folded_email_is_its_own_ascii_lower_case(email):
    # The database's CHECK says email = lower(email), where lower() knows ASCII only.
    once = folded(email)
    assert "".join(c.lower() if c.isascii() else c for c in once) == once
    assert 3 <= len(once) <= 254


BAD_EMAILS = [
    ("", "'' is not an e-mail address"),
    ("ann", "'ann' is not an e-mail address"),
    ("@b", "'@b' is not an e-mail address"),
    ("a@", "'a@' is not an e-mail address"),
    ("a@b@c", "'a@b@c' is not an e-mail address"),
    ("a＠b@c", "'a＠b@c' is not an e-mail address"),
    ("a b@c", "'a b@c' is not an e-mail address"),
    ("a\u00a0b@c", "'a\\xa0b@c' is not an e-mail address"),
    ("a\u200bb@c", "'a\\u200bb@c' is not an e-mail address"),
    ("a\u202eb@c", "'a\\u202eb@c' is not an e-mail address"),
    ("a\x07@c", "'a\\x07@c' is not an e-mail address"),
    ("a\n@c", "'a\\n@c' is not an e-mail address"),
    ("a\0@c", "text with a NUL character (U+0000) can't be stored"),
    ("\ud800@c", "text with a lone surrogate (U+D800) can't be stored"),
    ("x" * 253 + "@b", "an e-mail address has at most 254 characters, not 255"),
    ("x" * 319 + "@b", "an e-mail address has at most 254 characters, not 321"),
    ("ﷺ" * 20 + "@b", None),
    (5, "an e-mail address is text, not int"),
    (None, "an e-mail address is text, not NoneType"),
]


@pytest.mark.parametrize(("email", "problem"), BAD_EMAILS, ids=[ascii(e[0])[:30] for e in BAD_EMAILS])
def test_what_is_no_email_is_refused(email, problem):
    path, found = refused(normalise_email, email)
    assert path == "email"
    assert problem is None or found == problem


# --- documents ---


def test_an_object_comes_back_canonical():
    assert check_object({"a": (1, -0.0)}, "input") == {"a": [1, 0.0]}
    assert check_object(None, "input") is None
    assert check_object({}, "input") == {}


@pytest.mark.parametrize("value", [[], "{}", 1, True, StateError()], ids=lambda v: type(v).__name__)
def test_what_is_no_object_is_refused(value):
    kind = type(value).__name__
    assert refused(check_object, value, "output") == ("output", f"a JSON object (dict) is needed, not {kind}")


def entry(**fields):
    return UsageEntry(**({"provider": "p", "model": "m"} | fields))


BAD_ENTRIES = [
    ("no entry", {"provider": "p"}, "", "a UsageEntry is needed, not dict"),
    ("provider is missing", entry(provider=""), ".provider", "provider is missing"),
    ("provider is blank", entry(provider="  "), ".provider", "provider is missing"),
    ("model is None", entry(model=None), ".model", "model is missing"),
    ("negative", entry(prompt_tokens=-1), ".prompt_tokens", "a count of tokens is an integer of 0 or more, not -1"),
    (
        "negative option",
        entry(reasoning_tokens=-5),
        ".reasoning_tokens",
        "a count of tokens is an integer of 0 or more, not -5",
    ),
    ("fraction", entry(total_tokens=1.5), ".total_tokens", "a count of tokens is an integer of 0 or more, not 1.5"),
    (
        "bool",
        entry(completion_tokens=True),
        ".completion_tokens",
        "a count of tokens is an integer of 0 or more, not True",
    ),
    ("None", entry(prompt_tokens=None), ".prompt_tokens", "a count of tokens is an integer of 0 or more, not None"),
    ("text as time", entry(captured_at="2026-01-31"), ".captured_at", "a datetime is needed, not str"),
    (
        "naive time",
        entry(updated_at=datetime(2026, 1, 31)),
        ".updated_at",
        "a datetime without a time zone: use datetime.now(UTC) or .replace(tzinfo=UTC)",
    ),
    ("agents as text", entry(agent_ids="a"), ".agent_ids", "a list of text is needed"),
    ("agent as number", entry(agent_ids=["a", 1]), ".agent_ids", "a list of text is needed"),
    ("source as number", entry(source=5), ".source", "text is needed, not int"),
]


@pytest.mark.parametrize(("bad", "path", "problem"), [c[1:] for c in BAD_ENTRIES], ids=[c[0] for c in BAD_ENTRIES])
def test_a_bad_usage_entry_is_refused_with_its_index(bad, path, problem):
    assert refused(check_usage, [entry(), bad]) == (f"usage[1]{path}", problem)


@pytest.mark.parametrize("value", [entry(), "pm", 5, {"provider": "p"}], ids=lambda v: type(v).__name__)
def test_usage_is_a_list(value):
    assert refused(check_usage, value) == ("usage", f"a list of UsageEntry is needed, not {type(value).__name__}")


def test_usage_may_be_missing_or_empty():
    assert check_usage(None) is None
    assert check_usage([]) == []
    assert check_usage((entry(),)) == [entry()]


def test_an_error_comes_back_canonical():
    assert check_error(None) is None
    assert check_error(StateError("m", "c", (1, -0.0))) == StateError("m", "c", [1, 0.0])
    assert check_error(StateError()) == StateError()


BAD_ERRORS = [
    ("text", "failed", "error", "a StateError is needed, not str"),
    ("object", {"message": "m"}, "error", "a StateError is needed, not dict"),
    ("message", StateError(message=5), "error.message", "text is needed, not int"),
    ("code", StateError(code=404), "error.code", "text is needed, not int"),
    ("details", StateError(details={"a": math.nan}), "error.details.a", "nan is not a JSON number"),
]


@pytest.mark.parametrize(("value", "path", "problem"), [c[1:] for c in BAD_ERRORS], ids=[c[0] for c in BAD_ERRORS])
def test_what_is_no_error_is_refused(value, path, problem):
    assert refused(check_error, value) == (path, problem)


# --- whole states ---


def task(**fields):
    return TaskState(
        **(
            {
                "workflow_exec_id": "w1",
                "task_exec_id": "t1",
                "task_id": "t",
                "workflow_id": "w",
                "component": "task",
                "status": "PENDING",
            }
            | fields
        )
    )


def test_a_workflow_becomes_the_parameters_that_store_it():
    usage = [entry(captured_at=AT)]
    state = WorkflowState("w1", "w", "RUNNING", usage, {"b": -0.0, "a": ()}, None, StateError("m", details=(1,)))
    stored, parameters = workflow_parameters(state, NOW)
    assert parameters == {
        "workflow_exec_id": "w1",
        "workflow_id": "w",
        "status": "RUNNING",
        "usage": '[{"captured_at":"2026-01-31T09:05:07.000123Z","completion_tokens":0,"model":"m","prompt_tokens":0,'
        '"provider":"p","total_tokens":0}]',
        "input": '{"a":[],"b":0.0}',
        "output": None,
        "error": '{"details":[1],"message":"m"}',
        "now": NOW,
    }
    assert stored == state.replace(input={"a": [], "b": 0.0}, error=StateError("m", details=[1]))


def test_a_state_without_documents_is_given_back_as_it_is():
    state = task()
    assert task_parameters(state, NOW)[0] is state


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize("kind", EXECUTION_TYPES)
def test_a_task_becomes_the_parameters_that_store_it(component, kind):
    state = task(component=component, execution_type=kind, parent_state_id="t0", output={})
    wanted = {name: getattr(state, name) for name in TaskState.__struct_fields__[:-3]} | {"output": "{}", "now": NOW}
    assert task_parameters(state, NOW) == (state, wanted)


BAD_WORKFLOWS = [
    ("workflow_exec_id", "", "workflow_exec_id"),
    ("workflow_id", None, "workflow_id"),
    ("status", "DONE", "status"),
    ("usage", [5], "usage[0]"),
    ("input", [1], "input"),
    ("input", {"a": {"b": [math.nan]}}, "input.a.b[0]"),
    ("output", {"a": 2**53}, "output.a"),
    ("error", "x", "error"),
]


@pytest.mark.parametrize(("field", "value", "path"), BAD_WORKFLOWS, ids=[c[2] for c in BAD_WORKFLOWS])
def test_a_workflow_that_cant_be_stored_is_refused(field, value, path):
    state = WorkflowState("w1", "w", "RUNNING").replace(**{field: value})
    assert refused(workflow_parameters, state, NOW)[0] == path


BAD_TASKS = [
    ("task_exec_id", "\n", "task_exec_id"),
    ("workflow_exec_id", 1, "workflow_exec_id"),
    ("task_id", "", "task_id"),
    ("workflow_id", "x" * 256, "workflow_id"),
    ("component", "human", "component"),
    ("status", "pending", "status"),
    ("execution_type", "magic", "execution_type"),
    ("parent_state_id", "", "parent_state_id"),
    ("parent_state_id", "t1", "parent_state_id"),
    ("agent_id", 1, "agent_id"),
    ("action_id", "\0", "action_id"),
    ("tool_id", "", "tool_id"),
    ("input", {"a": {1}}, "input.a"),
]


@pytest.mark.parametrize(("field", "value", "path"), BAD_TASKS, ids=[f"{c[0]} {c[1]!r}"[:40] for c in BAD_TASKS])
def test_a_task_that_cant_be_stored_is_refused(field, value, path):
    assert refused(task_parameters, task(**{field: value}), NOW)[0] == path


def test_a_task_cant_be_its_own_parent():
    assert refused(task_parameters, task(parent_state_id="t1"), NOW) == (
        "parent_state_id",
        "task 't1' can't be its own parent",
    )


def test_only_states_of_their_own_kind_are_taken():
    assert refused(workflow_parameters, task(), NOW) == ("", "a WorkflowState is needed, not TaskState")
    assert refused(task_parameters, {"task_id": "t"}, NOW) == ("", "a TaskState is needed, not dict")


CONSISTENT = {"basic": {"", "agent action", "tool"}, "router": {""}}


@pytest.mark.parametrize("kind", EXECUTION_TYPES)
@pytest.mark.parametrize("named", ["", "agent", "action", "tool", "agent action", "agent tool", "action tool",
                                   "agent action tool"])  # fmt: skip
def test_who_executes_a_task_fits_its_type(kind, named):
    state = task(execution_type=kind, **{f"{who}_id": "x" for who in named.split()})
    if kind not in CONSISTENT or named in CONSISTENT[kind]:
        assert task_parameters(state, NOW)[0] == state
    else:
        assert refused(task_parameters, state, NOW)[0] == "execution_type"


def workflow(**fields):
    return WorkflowState("w1", "w", "RUNNING", **fields)


@pytest.mark.parametrize(("make", "store"), [(workflow, workflow_parameters), (task, task_parameters)])
def test_documents_may_be_64_levels_deep(make, store):
    deep = 1
    for _ in range(63):
        deep = [deep]
    for field in ("input", "output", "error"):
        good = StateError(details=deep) if field == "error" else {"a": deep}
        bad = StateError(details=[deep]) if field == "error" else {"a": [deep]}
        assert store(make(**{field: good}), NOW)
        if (field, store) != ("output", workflow_parameters):
            assert "levels" in refused(store, make(**{field: bad}), NOW)[1]
    # The output of a workflow holds those of its tasks two levels down.
    if store is workflow_parameters:
        assert store(make(output={"t": {"output": {"a": deep}}}), NOW)
        assert "more than 66 levels" in refused(store, make(output={"t": {"output": {"a": [deep]}}}), NOW)[1]


def test_instants_are_kept_whatever_their_zone():
    _, parameters = task_parameters(task(usage=[entry(captured_at=AT, updated_at=AT.astimezone(UTC))]), NOW)
    assert parameters["usage"].count("2026-01-31T09:05:07.000123Z") == 2
