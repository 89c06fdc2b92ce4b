"""Task states: written one by one or in batches, always below their execution; trees, children and progress."""

import random
import threading
from datetime import timedelta

import pytest

from diglot.errors import InvalidValue, TransactionError
from diglot.statestore.errors import ConcurrentUpdate, TaskInOtherWorkflow, TaskNotFound, UnknownReference
from diglot.statestore.models import STATUSES, StateError, TaskState, UsageEntry

FULL = {
    "usage": [UsageEntry("acme", "m1", 1, 2, 3)],
    "input": {"a": [1, 2.5, None, True, {"ü": "é\U0001f600"}]},
    "output": {"deep": {"er": []}},
    "error": StateError("it broke", "E1", {"at": [1]}),
    "execution_type": "basic",
    "tool_id": "hammer",
}


def state(task_exec_id="t1", exec_id="w1", status="PENDING", **fields):
    fields = {"task_id": task_exec_id, "workflow_id": "flow", "component": "task"} | fields
    return TaskState(workflow_exec_id=exec_id, task_exec_id=task_exec_id, status=status, **fields)


@pytest.fixture(autouse=True)
def execution(workflow):
    workflow("w1")
    workflow("w2")


# --- write ---


def test_upsert_inserts_and_get_gives_the_same(db, clock):
    stored = db.tasks.upsert(state(**FULL))
    assert (stored.version, stored.created_at, stored.updated_at) == (1, clock.now, clock.now)
    assert db.tasks.get("t1") == stored == db.tasks.get("t1", "w1")
    assert (stored.input, stored.usage, stored.error) == (FULL["input"], FULL["usage"], FULL["error"])


def test_upsert_keeps_created_at(db, task, clock):
    first = task("t1", **FULL)
    clock.forward(seconds=5)
    second = db.tasks.upsert(state("t1", status="SUCCESS", task_id="renamed", component="agent"))
    assert (second.version, second.created_at, second.updated_at) == (2, first.created_at, clock.now)
    found = db.tasks.get("t1")
    assert found == second
    assert (found.task_id, found.component, found.input, found.usage, found.tool_id) == (
        "renamed",
        "agent",
        None,
        None,
        None,
    )


def test_a_task_needs_its_execution(db):
    for write in (db.tasks.upsert, db.tasks.save):
        with pytest.raises(UnknownReference, match="workflow execution 'w9' does not exist"):
            write(state(exec_id="w9"))
    with pytest.raises(UnknownReference):
        db.tasks.upsert_many([state(), state("t2", "w9")])
    assert db.tasks.list().items == []


def test_a_parent_is_of_the_same_execution(db, task):
    task("t1", "w1")
    for write in (db.tasks.upsert, db.tasks.save):
        with pytest.raises(UnknownReference, match="or its parent task 't1'"):
            write(state("t2", "w2", parent_state_id="t1"))
        with pytest.raises(UnknownReference):
            write(state("t2", "w1", parent_state_id="t9"))
    with pytest.raises(UnknownReference):
        db.tasks.upsert_many([state("t2", "w2", parent_state_id="t1")])
    assert len(db.tasks.list().items) == 1


def test_a_task_can_not_be_its_own_parent(db):
    with pytest.raises(InvalidValue, match="parent_state_id: task 't1' can't be its own parent"):
        db.tasks.upsert(state(parent_state_id="t1"))


def test_a_task_belongs_to_one_execution(db, task):
    task("t1", "w1")
    for write in (db.tasks.upsert, db.tasks.save):
        with pytest.raises(TaskInOtherWorkflow, match="t1"):
            write(state("t1", "w2"))
    with pytest.raises(TaskInOtherWorkflow):
        db.tasks.upsert_many([state("t2", "w2"), state("t1", "w2")])
    assert [found.workflow_exec_id for found in db.tasks.list().items] == ["w1"]


def test_save_updates_only_the_version_that_was_read(db, clock):
    first = db.tasks.save(state())
    assert first.version == 1
    clock.forward(seconds=1)
    second = db.tasks.save(first.replace(status="RUNNING"))
    assert (second.version, second.created_at, second.updated_at) == (2, first.created_at, clock.now)
    for stale in (first.replace(status="FAILED"), state(), state(version=0)):
        with pytest.raises(ConcurrentUpdate, match="t1"):
            db.tasks.save(stale)
    assert db.tasks.get("t1") == second


def test_save_of_what_is_gone_is_not_found(db, task):
    stored = task("t1")
    db.tasks.delete("t1")
    with pytest.raises(TaskNotFound):
        db.tasks.save(stored)


def test_upsert_many_writes_all(db, clock):
    states = [state(f"t{i}", status=STATUSES[i % 8], input={"i": i}) for i in range(300)]
    assert db.tasks.upsert_many(states) == 300
    found = {t.task_exec_id: t for t in db.tasks.list(limit=1000).items}
    assert len(found) == 300
    assert all(
        found[s.task_exec_id] == s.replace(version=1, created_at=clock.now, updated_at=clock.now) for s in states
    )


def test_upsert_many_takes_parents_in_any_order(db):
    chain = [state("t0")] + [state(f"t{i}", parent_state_id=f"t{i - 1}") for i in range(1, 20)]
    random.Random(7).shuffle(chain)
    assert db.tasks.upsert_many(chain) == 20
    assert [node.depth for node in db.tasks.tree("t0").nodes] == list(range(20))


def test_upsert_many_counts_the_last_of_two_with_one_id(db):
    assert db.tasks.upsert_many([state("t1", status="FAILED"), state("t2"), state("t1", status="SUCCESS")]) == 2
    assert (db.tasks.get("t1").status, db.tasks.get("t1").version) == ("SUCCESS", 1)


def test_upsert_many_of_nothing_is_nothing(db):
    assert db.tasks.upsert_many([]) == 0


def test_upsert_many_updates_what_is_there(db, task):
    first = task("t1")
    assert db.tasks.upsert_many([state("t1", status="RUNNING"), state("t2")]) == 2
    found = db.tasks.get("t1")
    assert (found.status, found.version, found.created_at) == ("RUNNING", 2, first.created_at)


def test_upsert_many_names_the_bad_state_and_writes_nothing(db):
    with pytest.raises(InvalidValue, match=r"states\[1\]\.input\.x: nan"):
        db.tasks.upsert_many([state("t1"), state("t2", input={"x": float("nan")})])
    with pytest.raises(InvalidValue, match="its own ancestor"):
        db.tasks.upsert_many([state("t1", parent_state_id="t2"), state("t2", parent_state_id="t1")])
    with pytest.raises(InvalidValue, match=r"states\[0\]: a TaskState is needed, not int"):
        db.tasks.upsert_many([7])
    assert db.tasks.list().items == []


def test_delete_takes_the_children_along(db, task):
    task("t1")
    task("t2", parent_state_id="t1")
    task("t3", parent_state_id="t2")
    other = task("t4")
    db.tasks.delete("t1")
    assert db.tasks.list().items == [other]


def test_merge_usage_adds_even_when_many_do_it_at_once(db, task):
    task("t1")
    threads = [
        threading.Thread(target=lambda: [db.tasks.merge_usage("t1", [UsageEntry("p", "m", 1)]) for _ in range(5)])
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert db.tasks.usage("t1") == [UsageEntry("p", "m", 30, 0, 30)] == db.tasks.usage("t1", "w1")
    assert db.tasks.merge_usage("t1", [], "w1").version == 32


def test_usage_is_empty_before_there_is_any(db, task):
    task("t1")
    assert db.tasks.usage("t1") == []


# --- read one ---


def test_what_is_not_there_is_task_not_found(db, task):
    task("t1", "w1")
    calls = [
        lambda: db.tasks.get("no"),
        lambda: db.tasks.get("t1", "w2"),
        lambda: db.tasks.delete("no"),
        lambda: db.tasks.delete("t1", "w2"),
        lambda: db.tasks.usage("no"),
        lambda: db.tasks.merge_usage("no", []),
        lambda: db.tasks.merge_usage("t1", [], "w2"),
        lambda: db.tasks.tree("no"),
        lambda: db.tasks.tree("t1", workflow_exec_id="w2"),
        lambda: db.tasks.child("no", "t"),
        lambda: db.tasks.child("t1", "t", "w1"),
        lambda: db.tasks.get_many(["t1", "no"]),
    ]
    for call in calls:
        with pytest.raises(TaskNotFound, match="no task"):
            call()
    with db.transaction() as tx:
        for keys in (("no",), ("t1", "w2")):
            with pytest.raises(TaskNotFound):
                tx.tasks.get_for_update(*keys)


def test_get_for_update_needs_a_transaction(db, task):
    task("t1")
    with pytest.raises(TransactionError, match="needs a transaction"):
        db.tasks.get_for_update("t1")


def test_get_for_update_makes_others_wait(db, task):
    task("t1", input={"n": 0})

    def count():
        for _ in range(5):
            with db.transaction() as tx:
                found = tx.tasks.get_for_update("t1")
                tx.tasks.save(found.replace(input={"n": found.input["n"] + 1}))

    threads = [threading.Thread(target=count) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert db.tasks.get("t1").input == {"n": 30}


def test_child_is_the_newest_of_its_task_id(db, task):
    task("p")
    task("c1", task_id="a", parent_state_id="p")
    newest = task("c2", task_id="a", parent_state_id="p")
    task("c3", task_id="b", parent_state_id="p")
    task("c4", task_id="a")
    assert db.tasks.child("p", "a") == newest == db.tasks.child("p", "a", "w1")


# --- read several ---


def test_get_many_is_in_the_order_asked(db, task):
    made = {f"t{i}": task(f"t{i}", "w1" if i % 2 else "w2") for i in range(5)}
    wanted = ["t3", "t0", "t4", "t0"]
    assert db.tasks.get_many(wanted) == [made[id] for id in wanted]
    assert db.tasks.get_many([]) == []
    with pytest.raises(InvalidValue, match="1001 ids are more than 1000"):
        db.tasks.get_many(["t"] * 1001)


@pytest.fixture
def many(task):
    """t0 … t5, a second apart."""
    return [
        task("t0", execution_type="parallel"),
        task("t1", parent_state_id="t0", agent_id="bot", action_id="act", status="FAILED"),
        task("t2", parent_state_id="t0", tool_id="hammer", component="tool"),
        task("t3", "w2", workflow_id="other", status="FAILED"),
        task("t4", task_id="t2", tool_id="saw"),
        task("t5", parent_state_id="t2", execution_type="wait", agent_id="bot"),
    ]


FILTERS = [
    ("none", {}, "012345"),
    ("status", {"status": "FAILED"}, "13"),
    ("workflow", {"workflow_id": "flow"}, "01245"),
    ("execution", {"workflow_exec_id": "w2"}, "3"),
    ("task id", {"task_id": "t2"}, "24"),
    ("parent", {"parent_state_id": "t0"}, "12"),
    ("parent and execution", {"parent_state_id": "t0", "workflow_exec_id": "w1"}, "12"),
    ("parent of another execution", {"parent_state_id": "t0", "workflow_exec_id": "w2"}, ""),
    ("no such parent", {"parent_state_id": "no"}, ""),
    ("no parent", {"no_parent": True}, "034"),
    ("no parent in an execution", {"no_parent": True, "workflow_exec_id": "w1"}, "04"),
    ("agent", {"agent_id": "bot"}, "15"),
    ("action", {"action_id": "act"}, "1"),
    ("tool", {"tool_id": "saw"}, "4"),
    ("execution type", {"execution_type": "wait"}, "5"),
    ("several", {"agent_id": "bot", "status": "PENDING", "workflow_id": "flow", "execution_type": "wait"}, "5"),
    ("all", {"status": "FAILED", "workflow_id": "flow", "workflow_exec_id": "w1", "task_id": "t1"}
        | {"parent_state_id": "t0", "agent_id": "bot", "action_id": "act", "execution_type": "basic"}, "1"),
    ("none fits", {"tool_id": "hammer", "status": "FAILED"}, ""),
]  # fmt: skip


@pytest.mark.parametrize(("filters", "expected"), [f[1:] for f in FILTERS], ids=[f[0] for f in FILTERS])
def test_list_gives_what_fits_every_filter_oldest_first(db, many, filters, expected):
    page = db.tasks.list(**filters)
    assert page.items == [many[int(c)] for c in expected]
    assert page.next is None


def test_any_combination_of_filters_is_the_conjunction(db, many):
    fields = ("status", "workflow_id", "workflow_exec_id", "task_id", "parent_state_id", "agent_id", "action_id")
    fields += ("tool_id", "execution_type")
    choose = random.Random(11)
    for _ in range(60):
        like = choose.choice(many)
        names = [name for name in fields if getattr(like, name) is not None and choose.random() < 0.4]
        filters = {name: getattr(like, name) for name in names}
        expected = [t for t in many if all(getattr(t, name) == value for name, value in filters.items())]
        assert db.tasks.list(**filters).items == expected, filters


def test_pages_give_every_task_once_even_of_one_moment(db, clock):
    for i in range(23):
        if i % 6 == 0:
            clock.forward(seconds=1)
        db.tasks.upsert(state(f"t{i * 5 % 23:02}"))
    expected = sorted(db.tasks.list(limit=1000).items, key=lambda t: (t.created_at, t.task_exec_id))
    for limit in (1, 6, 22, 23):
        seen, after = [], None
        while True:
            page = db.tasks.list(limit=limit, after=after, workflow_id="flow")
            seen += page.items
            after = page.next
            if after is None:
                break
        assert seen == expected


BAD_FILTERS = [{"status": "DONE"}, {"task_id": ""}, {"execution_type": "odd"}, {"limit": 1001}, {"after": "x"}]
BAD_FILTERS += [{"no_parent": True, "parent_state_id": "t1"}]


@pytest.mark.parametrize("filters", BAD_FILTERS, ids=str)
def test_a_bad_filter_is_refused(db, filters):
    with pytest.raises(InvalidValue):
        db.tasks.list(**filters)


def test_latest_is_the_newest_state_of_each_task_id(db, task, clock):
    task("t1", task_id="a")
    task("t2", task_id="b")
    second = task("t3", task_id="a")
    clock.now = second.created_at
    tie = db.tasks.upsert(state("t4", task_id="a"))
    task("t5", "w2", task_id="a")
    assert db.tasks.latest("w1") == {"a": tie, "b": db.tasks.get("t2")}
    assert db.tasks.latest("no") == {}


# --- children ---


def test_children_are_paged_oldest_first(db, task):
    task("p")
    made = [task(f"c{i}", parent_state_id="p") for i in range(5)]
    task("deep", parent_state_id="c0")
    first = db.tasks.children("p", limit=3)
    second = db.tasks.children("p", "w1", limit=3, after=first.next)
    assert first.items + second.items == made
    assert second.next is None
    assert db.tasks.children("no").items == []


def test_child_outputs_are_those_of_the_newest_states(db, task):
    task("p")
    task("c1", task_id="a", parent_state_id="p", output={"old": 1})
    task("c2", task_id="a", parent_state_id="p", output={"new": 1})
    task("c3", task_id="b", parent_state_id="p")
    task("c4", task_id="a", output={"elsewhere": 1})
    assert db.tasks.child_outputs("p") == {"a": {"new": 1}, "b": None} == db.tasks.child_outputs("p", "w1")
    assert db.tasks.child_outputs("no") == {}


def test_progress_counts_the_latest_state_of_each_child(db, task):
    task("p")
    task("c1", task_id="a", parent_state_id="p", status="FAILED")
    task("c2", task_id="a", parent_state_id="p", status="SUCCESS")
    for i, status in enumerate(STATUSES):
        task(f"x{i}", parent_state_id="p", status=status)
    task("deep", parent_state_id="c2", status="RUNNING")
    task("c3", task_id="a", status="RUNNING")
    progress = db.tasks.progress("p")
    assert progress == db.tasks.progress("p", "w1")
    assert progress.counts == dict.fromkeys(STATUSES, 1) | {"SUCCESS": 2}
    assert (progress.total, progress.running, progress.terminal) == (9, 3, 5)
    assert (progress.completion_rate, progress.failure_rate) == (2 / 9, 2 / 9)


def test_progress_without_children_is_zero(db, task):
    task("p")
    for parent in ("p", "no"):
        progress = db.tasks.progress(parent)
        assert (progress.total, progress.completion_rate, progress.failure_rate) == (0, 0.0, 0.0)
        assert progress.overall() == "PENDING"


# --- tree ---


def test_tree_has_parents_before_children_and_siblings_by_creation(db, task):
    for id, parent in [("r", None), ("b", "r"), ("a", "r"), ("b2", "b"), ("a1", "a"), ("b1", "b"), ("x", None)]:
        task(id, parent_state_id=parent)
    tree = db.tasks.tree("r")
    assert [(node.depth, node.task.task_exec_id) for node in tree.nodes] == [
        (0, "r"),
        (1, "b"),
        (1, "a"),
        (2, "b2"),
        (2, "a1"),
        (2, "b1"),
    ]
    assert not tree.truncated
    assert [node.task for node in tree.nodes] == db.tasks.get_many(["r", "b", "a", "b2", "a1", "b1"])
    assert [node.task.task_exec_id for node in db.tasks.tree("b", workflow_exec_id="w1").nodes] == ["b", "b2", "b1"]


def test_tree_says_when_it_is_cut_off(db):
    db.tasks.upsert_many([state("t0")] + [state(f"t{i}", parent_state_id=f"t{i - 1}") for i in range(1, 106)])
    assert [(len(t.nodes), t.truncated) for t in (db.tasks.tree("t0"), db.tasks.tree("t5"))] == [
        (101, True),
        (101, False),
    ]
    assert [(len(t.nodes), t.truncated) for t in (db.tasks.tree("t0", 0), db.tasks.tree("t105", 0))] == [
        (1, True),
        (1, False),
    ]
    assert len(db.tasks.tree("t0", max_depth=1000).nodes) == 106


@pytest.mark.parametrize("depth", [-1, 1001, 1.0, "5", None, True])
def test_tree_refuses_a_bad_depth(db, task, depth):
    task("t1")
    with pytest.raises(InvalidValue, match="max_depth"):
        db.tasks.tree("t1", depth)


def test_a_tree_of_a_thousand_tasks_comes_whole(db):
    states = [state("t0")] + [state(f"t{i}", parent_state_id=f"t{(i - 1) // 3}") for i in range(1, 1000)]
    db.tasks.upsert_many(states)
    tree = db.tasks.tree("t0")
    assert {node.task.task_exec_id for node in tree.nodes} == {s.task_exec_id for s in states}
    depths = {node.task.task_exec_id: node.depth for node in tree.nodes}
    assert all(depths[s.task_exec_id] == depths[s.parent_state_id] + 1 for s in states[1:])


# --- bad input ---

BAD = [
    ("empty id", {"task_exec_id": ""}, "task_exec_id: an id has 1 to 255"),
    ("long parent", {"parent_state_id": "x" * 256}, "parent_state_id"),
    ("empty agent", {"agent_id": ""}, "agent_id"),
    ("component", {"component": "robot"}, "component: 'robot' is not one of workflow, task"),
    ("status", {"status": None}, "status: None is not one of"),
    ("execution type", {"execution_type": "odd"}, "execution_type: 'odd'"),
    ("agent without action", {"agent_id": "a"}, "either agent_id and action_id"),
    ("action without agent", {"action_id": "a"}, "either agent_id and action_id"),
    ("agent and tool", {"agent_id": "a", "action_id": "b", "tool_id": "c"}, "either agent_id and action_id"),
    ("agent and tool without action", {"agent_id": "a", "tool_id": "c"}, "either agent_id and action_id"),
    ("router with a tool", {"execution_type": "router", "tool_id": "c"}, "a router task has no"),
    ("output", {"output": {"x": 2**60}}, r"output\.x"),
    ("64 levels and one", {"input": {"x": [[]]}}, "levels"),
]


@pytest.mark.parametrize(("change", "message"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_a_bad_state_is_refused_and_nothing_is_written(db, change, message):
    if message == "levels":
        deep = []
        for _ in range(64):
            deep = [deep]
        change = {"input": {"x": deep}}
    bad = state(**change) if "task_exec_id" not in change else state(change["task_exec_id"], task_id="x")
    for write in (db.tasks.upsert, db.tasks.save, lambda s: db.tasks.upsert_many([state("ok"), s])):
        with pytest.raises(InvalidValue, match=message):
            write(bad)
    assert db.tasks.list().items == []


GOOD = [
    ("tool", {"tool_id": "c"}),
    ("agent and action", {"agent_id": "a", "action_id": "b"}),
    ("router", {"execution_type": "router"}),
    ("free", {"execution_type": "collection", "agent_id": "a", "tool_id": "c"}),
    ("any id of another system", {"task_exec_id": "Ünï/코드 \U0001f600", "task_id": "x" * 255}),
]


@pytest.mark.parametrize("change", [g[1] for g in GOOD], ids=[g[0] for g in GOOD])
def test_a_good_state_is_taken(db, change):
    change = dict(change)
    stored = db.tasks.upsert(state(change.pop("task_exec_id", "t1"), **change))
    assert db.tasks.get(stored.task_exec_id) == stored


def test_the_clock_is_read_once_for_a_batch(db, clock):
    clock.step = timedelta(seconds=1)
    db.tasks.upsert_many([state(f"t{i}") for i in range(3)])
    assert len({found.created_at for found in db.tasks.list().items}) == 1
