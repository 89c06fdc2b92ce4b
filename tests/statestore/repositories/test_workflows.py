"""Workflow executions: what was stored comes back, versions count, and lists are pages in order."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from diglot.errors import InvalidValue
from diglot.statestore.errors import ConcurrentUpdate, WorkflowNotFound
from diglot.statestore.models import StateError, UsageEntry, WorkflowState

FULL = {
    "usage": [
        UsageEntry("acme", "m1", 1, 2, 3, source="api", agent_ids=["a"], captured_at=datetime(2026, 1, 1, tzinfo=UTC))
    ],
    "input": {"a": [1, 2.5, None, True, {"ü": "é\U0001f600"}]},
    "output": {"deep": {"er": []}},
    "error": StateError("it broke", "E1", {"at": [1]}),
}


def test_upsert_inserts_and_get_gives_the_same(db, clock):
    stored = db.workflows.upsert(WorkflowState("w1", "flow", "RUNNING", **FULL))
    assert (stored.version, stored.created_at, stored.updated_at) == (1, clock.now, clock.now)
    assert db.workflows.get("w1", with_tasks=False) == stored
    assert stored.input == FULL["input"]
    assert stored.usage == FULL["usage"]


def test_upsert_updates_all_but_created_at(db, workflow, clock):
    first = workflow("w1", **FULL)
    clock.forward(seconds=5)
    second = db.workflows.upsert(WorkflowState("w1", "other", "SUCCESS"))
    assert (second.version, second.created_at, second.updated_at) == (2, first.created_at, clock.now)
    found = db.workflows.get("w1", with_tasks=False)
    assert found == second
    assert (found.workflow_id, found.status, found.usage, found.input, found.output, found.error) == (
        "other",
        "SUCCESS",
        None,
        None,
        None,
        None,
    )


def test_what_the_caller_says_of_version_and_times_does_not_count(db, clock):
    long_ago = datetime(1999, 1, 1, tzinfo=UTC)
    stored = db.workflows.upsert(
        WorkflowState("w1", "f", "RUNNING", version=7, created_at=long_ago, updated_at=long_ago)
    )
    assert (stored.version, stored.created_at, stored.updated_at) == (1, clock.now, clock.now)


def test_save_inserts_once(db):
    saved = db.workflows.save(WorkflowState("w1", "flow", "PENDING"))
    assert saved.version == 1
    with pytest.raises(ConcurrentUpdate, match="w1"):
        db.workflows.save(WorkflowState("w1", "flow", "RUNNING"))
    with pytest.raises(ConcurrentUpdate):
        db.workflows.save(WorkflowState("w1", "flow", "RUNNING", version=0))
    assert db.workflows.get("w1", with_tasks=False) == saved


def test_save_updates_only_the_version_that_was_read(db, clock):
    first = db.workflows.save(WorkflowState("w1", "flow", "PENDING"))
    clock.forward(seconds=1)
    second = db.workflows.save(first.replace(status="RUNNING"))
    assert (second.version, second.created_at, second.updated_at) == (2, first.created_at, clock.now)
    with pytest.raises(ConcurrentUpdate):
        db.workflows.save(first.replace(status="FAILED"))
    assert db.workflows.get("w1", with_tasks=False) == second


def test_save_of_what_is_gone_is_not_found(db, workflow):
    state = workflow("w1")
    db.workflows.delete("w1")
    with pytest.raises(WorkflowNotFound):
        db.workflows.save(state)


def test_of_many_savers_of_one_version_one_succeeds(db, workflow):
    state = workflow("w1")
    outcomes = []

    def save(i):
        try:
            outcomes.append(db.workflows.save(state.replace(input={"i": i})))
        except ConcurrentUpdate as error:
            outcomes.append(error)

    threads = [threading.Thread(target=save, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(outcome, ConcurrentUpdate) for outcome in outcomes) == 7
    assert db.workflows.get("w1", with_tasks=False) in outcomes


def test_get_brings_the_latest_state_of_each_task(db, workflow, task):
    workflow("w1")
    workflow("w2")
    task("t1", task_id="a", status="FAILED")
    retried = task("t2", task_id="a", status="SUCCESS")
    child = task("t3", task_id="b", parent_state_id="t2")
    task("t4", "w2", task_id="c")
    assert db.workflows.get("w1").tasks == {"a": retried, "b": child}
    assert db.workflows.get("w1", with_tasks=False).tasks is None


def test_what_is_not_there_is_workflow_not_found(db):
    for call in (
        lambda: db.workflows.get("no"),
        lambda: db.workflows.get("no", with_tasks=False),
        lambda: db.workflows.get_latest("no"),
        lambda: db.workflows.get_latest("no", with_tasks=False),
        lambda: db.workflows.find_by_task("no", "t"),
        lambda: db.workflows.find_by_agent("no", "a"),
        lambda: db.workflows.find_by_tool("no", "t", with_tasks=False),
        lambda: db.workflows.update_status("no", "FAILED"),
        lambda: db.workflows.merge_usage("no", []),
        lambda: db.workflows.complete("no"),
        lambda: db.workflows.complete("no", lambda state: {}),
        lambda: db.workflows.delete("no"),
    ):
        with pytest.raises(WorkflowNotFound, match="no workflow execution"):
            call()


def test_get_latest_is_the_one_that_changed_last(db, workflow, task):
    workflow("w1")
    workflow("w2")
    workflow("w3", workflow_id="other")
    assert db.workflows.get_latest("flow").workflow_exec_id == "w2"
    workflow("w1")
    root = task("t1")
    latest = db.workflows.get_latest("flow")
    assert (latest.workflow_exec_id, latest.tasks) == ("w1", {"t1": root})


def test_get_latest_of_the_same_moment_is_the_greatest_id(db):
    for exec_id in ("w1", "w3", "w2"):
        db.workflows.upsert(WorkflowState(exec_id, "flow", "RUNNING"))
    assert db.workflows.get_latest("flow", with_tasks=False).workflow_exec_id == "w3"


def test_find_by_task_agent_and_tool_give_the_newest(db, workflow, task):
    for exec_id in ("w1", "w2"):
        workflow(exec_id)
        task(f"{exec_id}-task", exec_id, task_id="build")
        task(f"{exec_id}-agent", exec_id, agent_id="bot", action_id="act")
        task(f"{exec_id}-tool", exec_id, tool_id="hammer", component="tool")
    workflow("w3", workflow_id="other")
    task("w3-task", "w3", task_id="build", workflow_id="other")
    for found in (
        db.workflows.find_by_task("flow", "build"),
        db.workflows.find_by_agent("flow", "bot"),
        db.workflows.find_by_tool("flow", "hammer"),
    ):
        assert found.workflow_exec_id == "w2"
        assert set(found.tasks) == {"build", "w2-agent", "w2-tool"}
    assert db.workflows.find_by_task("other", "build", with_tasks=False).tasks is None
    with pytest.raises(WorkflowNotFound):
        db.workflows.find_by_agent("other", "bot")


@pytest.fixture
def six(workflow):
    """w0 … w5, a second apart, RUNNING and FAILED by turns, in two workflows."""
    return [workflow(f"w{i}", f"flow{i // 3}", "RUNNING" if i % 2 else "FAILED") for i in range(6)]


FILTERS = [
    ("none", {}, "543210"),
    ("status", {"status": "FAILED"}, "420"),
    ("workflow", {"workflow_id": "flow1"}, "543"),
    ("both", {"workflow_id": "flow1", "status": "RUNNING"}, "53"),
    ("ids", {"ids": ["w4", "w0", "no"]}, "40"),
    ("ids and status", {"ids": ["w4", "w1"], "status": "RUNNING"}, "1"),
    ("no ids", {"ids": []}, ""),
    ("none fits", {"workflow_id": "flow7"}, ""),
]


@pytest.mark.parametrize(("filters", "expected"), [f[1:] for f in FILTERS], ids=[f[0] for f in FILTERS])
def test_list_gives_what_fits_every_filter_newest_first(db, six, filters, expected):
    page = db.workflows.list(**filters)
    assert [state.workflow_exec_id for state in page.items] == [f"w{c}" for c in expected]
    assert page.next is None
    assert page.items == [six[int(c)] for c in expected]


def test_list_by_range_of_creation(db, six):
    found = db.workflows.list(created_from=six[1].created_at, created_before=six[4].created_at)
    assert found.items == [six[3], six[2], six[1]]
    elsewhere = six[1].created_at.astimezone(datetime.now().astimezone().tzinfo)
    assert db.workflows.list(created_before=elsewhere).items == [six[0]]


def test_pages_give_every_execution_once_even_of_one_moment(db, clock):
    made = []
    for i in range(25):
        if i % 5 == 0:
            clock.forward(seconds=1)
        made.append(db.workflows.upsert(WorkflowState(f"w{i * 7 % 25:02}", "flow", "RUNNING")))
    expected = sorted(made, key=lambda state: (state.created_at, state.workflow_exec_id), reverse=True)
    for limit in (1, 4, 5, 24, 25, 26):
        seen, after, pages = [], None, 0
        while True:
            page = db.workflows.list(limit=limit, after=after)
            seen += page.items
            pages += 1
            assert len(page.items) <= limit
            if page.next is None:
                break
            after = page.next
        assert seen == expected
        assert pages == -(-25 // limit)


def test_list_brings_tasks_only_when_asked(db, workflow, task):
    for exec_id in ("w1", "w2", "w3"):
        workflow(exec_id)
    task("t1", "w1", task_id="a")
    newer = task("t2", "w1", task_id="a")
    other = task("t3", "w2", task_id="a")
    assert all(state.tasks is None for state in db.workflows.list().items)
    found = db.workflows.list(with_tasks=True)
    assert [state.tasks for state in found.items] == [{}, {"a": other}, {"a": newer}]
    assert db.workflows.list(with_tasks=True, status="PAUSED").items == []
    with db.transaction() as tx:
        assert tx.workflows.list(with_tasks=True) == found


@pytest.mark.parametrize("cursor", ["", "x", "bm9wZQ==", 7, "é", "W10="])
def test_what_is_no_cursor_is_refused(db, cursor):
    with pytest.raises(InvalidValue, match="after"):
        db.workflows.list(after=cursor)


BAD_FILTERS = [{"status": "DONE"}, {"workflow_id": ""}, {"ids": ["ok", ""]}, {"created_from": datetime(2026, 1, 1)}]
BAD_FILTERS += [{"created_before": "2026"}, {"limit": 0}]


@pytest.mark.parametrize("filters", BAD_FILTERS, ids=str)
def test_a_bad_filter_is_refused(db, filters):
    with pytest.raises(InvalidValue):
        db.workflows.list(**filters)


def test_update_status_changes_nothing_else(db, workflow, clock):
    before = workflow("w1", **FULL)
    clock.forward(seconds=1)
    after = db.workflows.update_status("w1", "PAUSED")
    assert after == before.replace(status="PAUSED", version=2, updated_at=clock.now)
    assert db.workflows.get("w1", with_tasks=False) == after


def test_delete_takes_the_tasks_along(db, workflow, task):
    workflow("w1")
    task("t1")
    task("t2", parent_state_id="t1")
    workflow("w2")
    other = task("t3", "w2")
    db.workflows.delete("w1")
    assert db.tasks.list().items == [other]


def test_merge_usage_adds(db, workflow, clock):
    workflow("w1", usage=[UsageEntry("acme", "m", 1, 1, 2)])
    clock.forward(seconds=1)
    merged = db.workflows.merge_usage("w1", [UsageEntry("acme", "m", 10, 5), UsageEntry("aaa", "m", 1)])
    assert merged.usage == [UsageEntry("aaa", "m", 1, 0, 1), UsageEntry("acme", "m", 11, 6, 17)]
    assert (merged.version, merged.updated_at) == (2, clock.now)
    assert db.workflows.get("w1", with_tasks=False) == merged


def test_usage_merged_by_many_at_once_all_counts(db, workflow):
    workflow("w1")
    threads = [
        threading.Thread(target=lambda: [db.workflows.merge_usage("w1", [UsageEntry("p", "m", 1)]) for _ in range(5)])
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert db.workflows.get("w1").usage == [UsageEntry("p", "m", 30, 0, 30)]


def test_merge_usage_names_the_bad_entry_and_changes_nothing(db, workflow):
    before = workflow("w1")
    with pytest.raises(InvalidValue, match=r"usage\[1\]\.prompt_tokens"):
        db.workflows.merge_usage("w1", [UsageEntry("p", "m", 1), UsageEntry("p", "m", -1)])
    assert db.workflows.get("w1", with_tasks=False) == before


GOOD = {"workflow_exec_id": "w1", "workflow_id": "flow", "status": "RUNNING"}
BAD = [
    ("empty id", {"workflow_exec_id": ""}, "workflow_exec_id: an id has 1 to 255"),
    ("long id", {"workflow_exec_id": "x" * 256}, "not 256"),
    ("id with a line end", {"workflow_id": "a\nb"}, "workflow_id: an id can't have control"),
    ("id with NUL", {"workflow_id": "a\0b"}, "NUL"),
    ("id with a surrogate", {"workflow_id": "a\ud800"}, "lone surrogate"),
    ("id that is no text", {"workflow_id": 7}, "an id is text, not int"),
    ("status", {"status": "DONE"}, "status: 'DONE' is not one of PENDING"),
    ("input that is no object", {"input": [1]}, "input: a JSON object"),
    ("NaN", {"input": {"a": [0, float("nan")]}}, r"input\.a\[1\]: nan"),
    ("infinity", {"output": {"a": float("-inf")}}, r"output\.a: -inf"),
    ("NUL in JSON", {"input": {"a": "x\0"}}, r"input\.a: text with a NUL"),
    ("NUL in a key", {"input": {"a\0": 1}}, "NUL"),
    ("surrogate in JSON", {"input": {"a": {"b": "\udfff"}}}, r"input\.a\.b: .*surrogate"),
    ("large integer", {"input": {"a": 2**53}}, r"input\.a: the integer"),
    ("key that is no text", {"input": {1: 2}}, "input: the key 1 is not text"),
    ("no JSON", {"input": {"a": {1, 2}}}, r"input\.a: a set"),
    ("error as dict", {"error": {"message": "x"}}, "error: a StateError"),
    ("NaN in error", {"error": StateError(details={"x": float("nan")})}, r"error\.details\.x"),
    ("usage entry", {"usage": [{"provider": "p"}]}, r"usage\[0\]: a UsageEntry"),
    ("negative count", {"usage": [UsageEntry("p", "m", completion_tokens=-1)]}, r"usage\[0\]\.completion_tokens"),
    ("no provider", {"usage": [UsageEntry("p", "m"), UsageEntry("", "m")]}, r"usage\[1\]\.provider"),
    ("naive time", {"usage": [UsageEntry("p", "m", captured_at=datetime(2026, 1, 1))]}, r"usage\[0\]\.captured_at"),
]


@pytest.mark.parametrize(("change", "message"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_a_bad_state_is_refused_and_nothing_is_written(db, change, message):
    state = WorkflowState(**GOOD | change)
    for write in (db.workflows.upsert, db.workflows.save):
        with pytest.raises(InvalidValue, match=message):
            write(state)
    assert db.workflows.list().items == []


def test_what_is_no_state_is_refused(db):
    for write in (db.workflows.upsert, db.workflows.save):
        with pytest.raises(InvalidValue, match="a WorkflowState is needed, not dict"):
            write(GOOD)


def test_times_keep_their_microseconds(db, clock):
    clock.now = datetime(2026, 1, 31, 9, 5, 7, 123, tzinfo=UTC)
    assert db.workflows.upsert(WorkflowState("w1", "flow", "RUNNING")).created_at == clock.now
    clock.now += timedelta(microseconds=1)
    assert (
        db.workflows.update_status("w1", "FAILED").updated_at - timedelta(microseconds=1)
        == db.workflows.get("w1").created_at
    )
