"""Every packaged query runs on every database, in its combinations of blocks, and answers with the columns it says."""

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from diglot.sql.query import CountQuery, ManyQuery, RowQuery
from diglot.statestore.models import StateError, TaskState, UsageEntry, WorkflowState
from diglot.statestore.project import TREES
from tests.parity.sql_code import words

AT = datetime(2026, 1, 31, 9, 5, 7, 123, UTC)
LATER = AT + timedelta(days=300)

SAMPLES = {
    "workflow_exec_id": "w1",
    "task_exec_id": "t2",
    "task_id": "t",
    "workflow_id": "w",
    "component": "task",
    "status": "RUNNING",
    "execution_type": "composite",
    "parent_state_id": "t1",
    "no_parent": True,
    "same_parent": True,
    "agent_id": "a",
    "action_id": "b",
    "tool_id": "c",
    "usage": [UsageEntry("p", "m")],
    "input": {"a": 1},
    "output": {"b": [None]},
    "error": StateError("m"),
    "version": 1,
    "now": AT,
    "before": AT,
    "ids": ["w1", "t1", "t2"],
    "created_from": AT,
    "created_before": LATER,
    "after_created_at": AT,
    "after_id": "t0",
    "limit": 10,
    "most": 10,
    "weighed": 10,
    "keep_last": 1,
    "max_depth": 5,
    "id": "new",
    "user_id": "u1",
    "email": "new@example.org",
    "role": "admin",
    "name": "laptop",
    "hash": bytes(32),
    "prefix": "dgl_00000000",
    "expires_at": LATER,
}


@pytest.fixture
def filled(still):
    """The execution w1 with the task t1 and its child t2, the user u1 and a key, all made at AT."""
    still.workflows.upsert(WorkflowState("w1", "w", "RUNNING"))
    for task, parent in (("t1", None), ("t2", "t1")):
        state = TaskState("w1", task, "t", "w", "task", "RUNNING", "composite", parent, "a", "b", "c")
        still.tasks.upsert(state)
    users, keys = still.queries.users, still.queries.api_keys
    users.create_user(still.store, id="u1", email="u@example.org", role="admin", now=AT)
    keys.create_api_key(still.store, id="k1", user_id="u1", name=None, hash=b"\1" * 32, prefix="dgl_11111111", now=AT,
                        expires_at=None)  # fmt: skip
    return still


class RollBack(Exception):
    pass


def run(db, query, given):
    """What a query answers; whatever it changed is undone."""
    answer = None
    with suppress(RollBack), db.store.transaction() as tx:
        answer = query(tx, [given]) if isinstance(query, ManyQuery) else query(tx, **given)
        raise RollBack
    return answer


def combinations(query):
    """Which of the parameters that may be null are given: all combinations, or where there are many all, none and
    each alone."""
    nullable = [p.name for p in query.source.parameters if p.nullable]
    if len(nullable) <= 4:
        return [dict(zip(nullable, on, strict=True)) for on in product((True, False), repeat=len(nullable))]
    one = [{name: name == alone for name in nullable} for alone in [*nullable, None]]
    return [dict.fromkeys(nullable, True), *one]


@pytest.mark.parity(69, 70, 87)
def test_every_query_runs_in_its_combinations(filled):
    ran = 0
    for query in filled.queries:
        for on in combinations(query):
            if on.get("after_id", False) != on.get("after_created_at", False):
                on["after_created_at"] = on["after_id"]  # a cursor is both or none
            if not on.get("parent_state_id", True):
                on["same_parent"] = False  # t2 has a parent
            given = {p.name: SAMPLES[p.name] if on.get(p.name, True) else None for p in query.source.parameters}
            answer = run(filled, query, given)
            ran += 1
            assert isinstance(query, RowQuery) or type(answer) is int, query
    assert ran > 120
    assert filled.tasks.get("t2").version == 1  # everything was undone


@pytest.mark.parity(73)
def test_queries_that_count_count_the_rows_changed(filled):
    counts = {
        q.source.full_name: run(filled, q, {p.name: SAMPLES[p.name] for p in q.source.parameters})
        for q in filled.queries
        if isinstance(q, CountQuery | ManyQuery)
    }
    assert counts == {
        "api_keys.delete_api_key": 0,
        "api_keys.touch_api_key": 0,
        "tasks.cut_tasks": 1,
        "tasks.delete_tasks": 1,
        "tasks.end_tasks": 2,
        "tasks.prune_tasks": 0,
        "tasks.upsert_tasks": 1,
        "users.delete_user": 0,
        "workflows.delete_workflow": 1,
        "workflows.mark_pruned": 0,
    }


@pytest.mark.parity(87)
def test_every_column_of_an_answer_has_a_name_of_its_own(filled):
    known = {name for model in TREES.row_models().values() for name in model.__struct_fields__}
    for query in filled.queries:
        if not isinstance(query, RowQuery):
            continue
        given = {p.name: SAMPLES[p.name] for p in query.source.parameters}
        statement, values = query.call(**given)
        with suppress(RollBack), filled.store.transaction() as tx:
            names, _ = tx.columns(statement, values)
            raise RollBack
        for name in names:
            by_model = name in known and name in words(query.source.sql)
            assert by_model or re.search(rf"\bas {name}\b", query.source.sql), (query, name)
