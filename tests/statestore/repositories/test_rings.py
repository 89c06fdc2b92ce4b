"""No task is its own ancestor: every write refuses it, and what old data has ends no call in a loop."""

import threading

import pytest

from diglot.errors import InvalidValue
from diglot.sql.session import Statement
from diglot.statestore.errors import ConcurrentUpdate, TaskNotFound, UnknownReference, WorkflowNotReady
from diglot.statestore.models import TaskState, WorkflowState


def state(task_exec_id, parent=None, exec_id="w1", **fields):
    return TaskState(exec_id, task_exec_id, task_exec_id, "flow", "task", "SUCCESS", parent_state_id=parent, **fields)


@pytest.fixture
def chain(db, workflow):
    """a ← b ← c"""
    workflow("w1")
    db.tasks.upsert_many([state("a"), state("b", "a"), state("c", "b")])


def parents(db, exec_id="w1"):
    return {
        task.task_exec_id: task.parent_state_id for task in db.tasks.list(workflow_exec_id=exec_id, limit=1000).items
    }


def saved(db, task_exec_id, parent):
    return db.tasks.save(db.tasks.get(task_exec_id).replace(parent_state_id=parent))


WRITES = {
    "upsert": lambda db, task, parent: db.tasks.upsert(state(task, parent)),
    "save": saved,
    "upsert_many": lambda db, task, parent: db.tasks.upsert_many([state("new"), state(task, parent)]),
}


@pytest.fixture(params=WRITES)
def write(request):
    return WRITES[request.param]


@pytest.mark.parametrize(("task", "parent"), [("a", "b"), ("a", "c"), ("b", "c")])
@pytest.mark.parametrize("name", ["upsert", "save", "upsert_many"])
@pytest.mark.parametrize("inside", [False, True], ids=["alone", "in a transaction"])
def test_no_write_makes_a_task_its_own_ancestor(db, chain, name, task, parent, inside):
    before = db.tasks.list().items
    with pytest.raises(InvalidValue, match=f"^parent_state_id: task '{task}' is its own ancestor$"):
        if inside:
            with db.transaction() as tx:
                WRITES[name](tx, task, parent)
        else:
            WRITES[name](db, task, parent)
    assert db.tasks.list().items == before


def test_a_refused_move_leaves_the_transaction_as_it_was(db, chain):
    with db.transaction() as tx:
        tx.tasks.upsert(state("d", "a"))
        for refused in WRITES.values():
            with pytest.raises(InvalidValue), tx.transaction() as inner:
                refused(inner, "a", "c")
        tx.tasks.upsert(state("e", "d"))
    assert parents(db) == {"a": None, "b": "a", "c": "b", "d": "a", "e": "d"}


def test_a_batch_with_half_of_a_ring_is_refused_whole(db, chain):
    with pytest.raises(InvalidValue, match="is its own ancestor"):
        db.tasks.upsert_many([state("new"), state("x", "c"), state("a", "x")])
    assert parents(db) == {"a": None, "b": "a", "c": "b"}


def test_a_task_may_move_where_no_ring_comes_of_it(db, chain, write):
    db.tasks.upsert_many([state("d"), state("e", "d")])
    created = db.tasks.get("d").created_at
    write(db, "d", "a")
    moved = db.tasks.get("d")
    assert (moved.parent_state_id, moved.version, moved.created_at) == ("a", 2, created)
    assert {node.task.task_exec_id for node in db.tasks.tree("a").nodes} == {"a", "b", "c", "d", "e"}


def test_a_task_becomes_a_root(db, chain):
    db.tasks.upsert(state("b"))
    saved(db, "c", None)
    assert parents(db) == {"a": None, "b": None, "c": None}
    db.tasks.upsert_many([state("a", "c"), state("b", "a")])
    assert parents(db) == {"a": "c", "b": "a", "c": None}


def test_two_tasks_change_places_in_one_batch(db, chain):
    db.tasks.upsert_many([state("b", "c"), state("c", "a")])
    assert parents(db) == {"a": None, "b": "c", "c": "a"}


def test_a_move_is_refused_as_any_write_is(db, chain, workflow):
    workflow("w2")
    db.tasks.upsert(state("z", exec_id="w2"))
    for parent in ("nobody", "z"):
        with pytest.raises(UnknownReference):
            db.tasks.upsert(state("c", parent))
        with pytest.raises(UnknownReference):
            db.tasks.upsert_many([state("c", parent)])
        with pytest.raises(UnknownReference):
            saved(db, "c", parent)
    with pytest.raises(ConcurrentUpdate):
        db.tasks.save(state("c", "a", version=7))
    with pytest.raises(TaskNotFound):
        db.tasks.save(state("nobody", "a", version=1))
    assert parents(db) == {"a": None, "b": "a", "c": "b"}


def test_a_deep_chain_is_walked_to_its_end(db, workflow):
    workflow("w1")
    db.tasks.upsert_many([state(f"t{i:04}", f"t{i - 1:04}" if i else None) for i in range(1500)])
    with pytest.raises(InvalidValue, match="'t0000' is its own ancestor"):
        db.tasks.upsert(state("t0000", "t1499"))
    db.tasks.upsert(state("t1499", "t0000"))
    assert db.tasks.get("t1499").parent_state_id == "t0000"


# --- at the same time ---


@pytest.mark.parametrize("again", range(3))
def test_of_two_that_each_close_half_of_a_ring_one_is_refused(db, workflow, again):
    workflow("w1")
    db.tasks.upsert_many([state("a"), state("b")])
    both_have_begun = threading.Barrier(2)
    outcomes = []

    def move(task, parent):
        try:
            both_have_begun.wait(10)
            db.tasks.upsert(state(task, parent))
            outcomes.append("moved")
        except InvalidValue:
            outcomes.append("refused")

    threads = [threading.Thread(target=move, args=pair) for pair in (("a", "b"), ("b", "a"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(outcomes) == ["moved", "refused"]
    assert list(parents(db).values()).count(None) == 1


def test_a_move_waits_for_one_that_is_not_committed(db, workflow):
    workflow("w1")
    db.tasks.upsert_many([state("a"), state("b")])
    refused = []

    def other():
        try:
            db.tasks.upsert(state("b", "a"))
        except InvalidValue as error:
            refused.append(str(error))

    with db.transaction() as tx:
        tx.tasks.upsert(state("a", "b"))
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(0.2)
        assert thread.is_alive(), "it did not wait for the first"
    thread.join(20)
    assert refused == ["parent_state_id: task 'b' is its own ancestor"]
    assert parents(db) == {"a": "b", "b": None}


def test_other_writes_do_not_wait_for_a_move(db, workflow):
    if db.store.dialect == "sqlite":
        return  # it has one writer at a time
    workflow("w1")
    db.tasks.upsert_many([state("a"), state("b"), state("c", "b")])
    with db.transaction() as tx:
        tx.tasks.upsert(state("a", "b"))
        thread = threading.Thread(target=lambda: db.tasks.upsert_many([state("new", "b"), state("c", "b")]))
        thread.start()
        thread.join(20)
        assert not thread.is_alive(), "a task that is not moved waits"


# --- old data ---


@pytest.fixture
def ring(db, chain):
    """a ← b ← c ← a, with leaves, as earlier versions let it come to be."""
    db.tasks.upsert_many([state(f"leaf{i}", "abc"[i % 3]) for i in range(6)])
    db.store.count(
        Statement("test.ring", "update task_states set parent_state_id = 'c' where task_exec_id = 'a'", writes=True)
    )


def test_a_tree_of_a_ring_ends_before_it_comes_back(db, ring):
    tree = db.tasks.tree("a", max_depth=1000)
    assert [node.task.task_exec_id for node in tree.nodes if not node.task.task_exec_id.startswith("leaf")] == [
        "a",
        "b",
        "c",
    ]
    assert (len(tree.nodes), tree.truncated) == (9, False)


def test_an_execution_of_nothing_but_a_ring_is_not_completed(db, ring):
    for transform in (None, lambda state: {}):
        with pytest.raises(
            WorkflowNotReady, match="has tasks, but none without a parent, so their parents form a ring"
        ):
            db.workflows.complete("w1", transform)
    assert db.workflows.get("w1", with_tasks=False).status == "RUNNING"
    db.tasks.upsert(state("a"))
    assert db.workflows.complete("w1").status == "SUCCESS"


def test_tasks_of_a_ring_are_written_moved_and_deleted(db, ring):
    db.tasks.upsert(state("b", "a", output={"x": 1}))
    with pytest.raises(InvalidValue):
        db.tasks.upsert(state("a", "b"))
    with pytest.raises(InvalidValue):
        db.tasks.upsert(state("leaf0", "leaf0"))
    db.tasks.upsert(state("root"))
    saved(db, "a", "root")
    assert len(db.tasks.tree("root").nodes) == 10
    db.store.count(
        Statement("test.ring", "update task_states set parent_state_id = 'c' where task_exec_id = 'a'", writes=True)
    )
    db.tasks.delete("b")
    assert parents(db) == {"root": None}


def test_an_execution_with_a_ring_is_deleted(db, ring):
    db.workflows.delete("w1")
    assert db.tasks.list().items == []


# --- deep ---


@pytest.mark.parametrize("what", ["a task", "an execution"])
def test_a_deep_chain_is_deleted_whole(db, workflow, what):
    workflow("w1")
    db.workflows.upsert(WorkflowState("w2", "flow", "RUNNING"))
    other = db.tasks.upsert(state("other", exec_id="w2"))
    db.tasks.upsert_many([state(f"t{i:04}", f"t{i - 1:04}" if i else None) for i in range(2500)])
    if what == "a task":
        db.tasks.delete("t0001")
        assert parents(db) == {"t0000": None}
        db.tasks.delete("t0000", "w1")
    else:
        db.workflows.delete("w1")
    assert db.tasks.list().items == [other]
