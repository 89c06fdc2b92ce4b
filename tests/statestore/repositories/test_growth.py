"""No call costs more than its answer: ten times the tasks are ten times the work, whatever the planner believes.

Work is counted by the database, see work.py. Each call runs on a small execution until its plan is kept, then on a
large one in the same session.
"""

import pytest

from diglot.sql.session import Statement
from diglot.statestore.models import TaskState, WorkflowState
from diglot.stores.sqlite.library import library
from tests.statestore.repositories.work import work

SMALL, LARGE = 100, 1000
KEPT = 12
"""Calls after which PostgreSQL has prepared a statement and keeps its plan."""


def tasks_of(exec_id, n, fan):
    """n tasks of which each has ``fan`` children; 0: a chain."""
    parents = [None] + [(i - 1) // fan if fan else i - 1 for i in range(1, n)]
    return [
        TaskState(
            workflow_exec_id=exec_id,
            task_exec_id=f"{exec_id}-{i:05}",
            task_id=f"t{i % 50}" if fan >= n else f"t{i}",
            workflow_id=exec_id.partition("-")[0],
            component="task",
            status="SUCCESS" if i % 7 else "FAILED",
            parent_state_id=None if parent is None else f"{exec_id}-{parent:05}",
            tool_id=f"tool{i % 5}",
            output={"o": "x" * 50},
        )
        for i, parent in enumerate(parents)
    ]


def analyze(db):
    db.store.script(Statement("test.analyze", "analyze workflow_states; analyze task_states;"))


def fill(db, exec_id, n, fan):
    db.workflows.upsert(WorkflowState(exec_id, exec_id.partition("-")[0], "RUNNING"))
    states = tasks_of(exec_id, n, fan)
    db.tasks.upsert_many(states)
    return states


def none(db):
    pass


def of_nothing(db):
    analyze(db)


def of_few(db):
    fill(db, "few", 10, 3)
    analyze(db)


def of_many_small(db):
    for i in range(60):
        fill(db, f"many{i}", 1, 1)
    analyze(db)


def of_one_large(db):
    fill(db, "one", 1000, 8)
    analyze(db)


STATISTICS = [none, of_nothing, of_few, of_many_small, of_one_large]


def answers(db, exec_id, n):
    """(name, call) of an execution with a tree of n tasks; the answers named in GROWS have about n tasks."""
    root, some, last = f"{exec_id}-00000", f"{exec_id}-00003", f"{exec_id}-{(n - 2) // 8:05}"
    few = [f"{exec_id}-{i:05}" for i in range(5)]
    tasks, workflows = db.tasks, db.workflows
    return [
        ("tree", lambda: tasks.tree(root, workflow_exec_id=exec_id)),
        ("tree of a part", lambda: tasks.tree(last, workflow_exec_id=exec_id)),
        ("latest", lambda: tasks.latest(exec_id)),
        ("workflow", lambda: workflows.get(exec_id)),
        ("workflows with tasks", lambda: workflows.list(ids=[exec_id], with_tasks=True)),
        ("get", lambda: tasks.get(some, exec_id)),
        ("get by id", lambda: tasks.get(some)),
        ("get many", lambda: tasks.get_many(few)),
        ("list", lambda: tasks.list(workflow_exec_id=exec_id)),
        ("list of failed", lambda: tasks.list(workflow_exec_id=exec_id, status="FAILED", limit=10)),
        ("list of a task", lambda: tasks.list(workflow_exec_id=exec_id, task_id="t7")),
        ("list of roots", lambda: tasks.list(workflow_exec_id=exec_id, no_parent=True)),
        ("summaries", lambda: tasks.summaries(exec_id)),
        ("children", lambda: tasks.children(some, exec_id)),
        ("child", lambda: tasks.child(some, "t25", exec_id)),
        ("progress", lambda: tasks.progress(some, exec_id)),
        ("child outputs", lambda: tasks.child_outputs(some, exec_id)),
        ("by tool", lambda: workflows.find_by_tool(exec_id, "tool3", with_tasks=False)),
        ("by task", lambda: workflows.find_by_task(exec_id, "t3", with_tasks=False)),
        ("upsert", lambda: tasks.upsert(tasks.get(some, exec_id))),
        ("save", lambda: tasks.save(tasks.get(some, exec_id))),
        ("move", lambda: tasks.upsert(tasks.get(last, exec_id).replace(parent_state_id=some))),
    ]


def measured(db, size, n, current):
    """The work of each call on executions with n tasks, by name."""
    flat, chain = f"{size}-flat-00000", f"{size}-chain-00000"
    states = tasks_of(size, n, 8)
    db.workflows.upsert(WorkflowState(size, size, "RUNNING"))
    found = {"upsert many": work(db, lambda: db.tasks.upsert_many(states))}
    if current:
        analyze(db)
    for name, call in answers(db, size, n):
        if size == "small" and db.store.dialect == "postgres":
            for _ in range(KEPT):
                call()
        found[name] = work(db, call)
    found["upsert many again"] = work(db, lambda: db.tasks.upsert_many(states))
    fill(db, f"{size}-complete", n, 8)
    found["complete"] = work(db, lambda: db.workflows.complete(f"{size}-complete"))
    found["delete a part"] = work(db, lambda: db.tasks.delete(f"{size}-00001", size))
    found["delete"] = work(db, lambda: db.workflows.delete(size))
    fill(db, f"{size}-flat", n, n)
    found["flat tree"] = work(db, lambda: db.tasks.tree(flat))
    found["progress of all"] = work(db, lambda: db.tasks.progress(flat))
    fill(db, f"{size}-chain", n // 2, 0)
    found["chain"] = work(db, lambda: db.tasks.tree(chain, max_depth=1000))
    found["delete a chain"] = work(db, lambda: db.tasks.delete(chain))
    return found


GROWS = {"tree", "latest", "workflow", "workflows with tasks", "upsert many", "upsert many again", "complete"}
GROWS |= {"delete a part", "delete", "flat tree", "progress of all", "chain", "delete a chain"}

READ_WHOLE = {"list of roots"}
"""What SQLite 3.40 answers by reading and sorting the execution, with statistics of executions that had one task each:
it finds the primary key as good as the index of the root tasks, which newer versions take."""

CASES = [(analysed, False) for analysed in STATISTICS] + [(none, True)]
IDS = [f"statistics {analysed.__name__}" for analysed in STATISTICS] + ["current statistics"]


@pytest.mark.parametrize(("analysed", "current"), CASES, ids=IDS)
def test_work_grows_as_the_answer_does(db, analysed, current):
    analysed(db)
    old = db.store.dialect == "sqlite" and library().sqlite_version_info < (3, 41) and analysed is of_many_small
    grows = GROWS | (READ_WHOLE if old else set())
    small, large = measured(db, "small", SMALL, current), measured(db, "large", LARGE, current)
    allowed = {name: small[name] * (1.8 * LARGE / SMALL if name in grows else 2.5) + 400 for name in small}
    assert {name: (small[name], large[name]) for name in small if large[name] > allowed[name]} == {}
