"""Rows of the packaged schema, written by hand: a good one for each table, and a second beside it."""

from __future__ import annotations

from typing import Any

from diglot.migrate import Migrator
from diglot.sql.session import Dialect, Statement
from diglot.statestore.project import TREES
from diglot.stores.store import Store
from tests.migrate.trees import NOW


def packaged(store: Store) -> Migrator:
    """What runs the packaged migrations on this store."""
    return Migrator(store, TREES.migration_tree(store.dialect), timeout=10, clock=lambda: NOW)


GOOD: dict[str, dict[str, Any]] = {
    "workflow_states": {
        "workflow_exec_id": "w1",
        "workflow_id": "w",
        "status": "RUNNING",
        "usage": "[]",
        "input": "{}",
        "output": None,
        "error": None,
        "created_at": "2026-01-31T09:05:07.000123Z",
        "updated_at": "2026-01-31T09:05:07.000123Z",
        "version": 1,
    },
    "task_states": {
        "workflow_exec_id": "w1",
        "task_exec_id": "t1",
        "task_id": "t",
        "workflow_id": "w",
        "component": "task",
        "status": "PENDING",
        "execution_type": "basic",
        "parent_state_id": None,
        "agent_id": None,
        "action_id": None,
        "tool_id": None,
        "usage": None,
        "input": None,
        "output": None,
        "error": None,
        "created_at": "2026-01-31T09:05:07.000123Z",
        "updated_at": "2026-01-31T09:05:07.000123Z",
        "version": 1,
    },
    "users": {
        "id": "u1",
        "email": "a@example.org",
        "role": "admin",
        "created_at": "2026-01-31T09:05:07.000123Z",
        "updated_at": "2026-01-31T09:05:07.000123Z",
    },
    "api_keys": {
        "id": "k1",
        "user_id": "u1",
        "name": None,
        "hash": b"\x01" * 32,
        "prefix": "dgl_12345678",
        "created_at": "2026-01-31T09:05:07.000123Z",
        "last_used": None,
        "expires_at": None,
    },
}
SECOND: dict[str, dict[str, Any]] = {
    "workflow_states": {"workflow_exec_id": "w2"},
    "task_states": {"task_exec_id": "t2"},
    "users": {"id": "u2", "email": "b@example.org"},
    "api_keys": {"id": "k2", "hash": b"\x02" * 32, "prefix": "dgl_abcdefgh"},
}


def insert(store: Store, table: str, **changes: Any) -> None:
    """The table's good row with these columns changed, written by hand; None leaves a column to its default."""
    row = {**GOOD[table], **changes}
    given = {name: literal(store.dialect, value) for name, value in row.items() if value is not None}
    text = f"insert into {table} ({', '.join(given)}) values ({', '.join(given.values())})"
    store.count(Statement("test.insert", text, writes=True))


def insert_second(store: Store, table: str, **changes: Any) -> None:
    insert(store, table, **{**SECOND[table], **changes})


def literal(dialect: Dialect, value: object) -> str:
    if isinstance(value, bytes):
        return f"x'{value.hex()}'" if dialect == "sqlite" else f"'\\x{value.hex()}'"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)
