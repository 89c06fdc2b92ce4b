"""Each constraint of the packaged schema refuses what it is for, and nothing else, on every database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from diglot.errors import (
    CheckViolation,
    DatabaseError,
    ForeignKeyViolation,
    NotNullViolation,
    UniqueViolation,
    WrongType,
)
from diglot.sql.session import Dialect, Statement
from diglot.stores.store import Store
from tests.migrate.rows import insert, insert_second

LONG = "x" * 256
IDS = {
    "workflow_states": ["workflow_exec_id", "workflow_id"],
    "task_states": ["task_exec_id", "task_id", "workflow_id", "execution_type", "agent_id", "action_id", "tool_id"],
    "users": ["id"],
    "api_keys": ["id"],
}
JSON = {"input": "object", "output": "object", "error": "object", "usage": "array"}
TIMES = {
    "workflow_states": ["created_at", "updated_at"],
    "task_states": ["created_at", "updated_at"],
    "users": ["created_at", "updated_at"],
    "api_keys": ["created_at", "last_used", "expires_at"],
}
CONSISTENT = "execution_is_consistent"


def checks() -> Iterator[tuple[str, dict[str, Any], str]]:
    """Table, what is changed in its row, and the check that refuses it (without ck_ and the table)."""
    for table, columns in IDS.items():
        for column in columns:
            # With an agent's or a tool's id alone another check might speak first; this type leaves them free.
            free = {"execution_type": "wait"} if column in ("agent_id", "action_id", "tool_id") else {}
            yield table, {column: "", **free}, column
            yield table, {column: LONG, **free}, column
    for table in ("workflow_states", "task_states"):
        for column, kind in JSON.items():
            for value in ("null", "1", '"x"', "{}" if kind == "array" else "[]"):
                yield table, {column: value}, column
        for status in ("", "running", "DONE"):
            yield table, {"status": status}, "status"
        for version in (0, -1, 2**53):
            yield table, {"version": version}, "version"
    yield "task_states", {"component": "Task"}, "component"
    yield "task_states", {"task_exec_id": "t2", "parent_state_id": "t2"}, "parent_is_another"
    yield "task_states", {"agent_id": "a"}, CONSISTENT
    yield "task_states", {"action_id": "a"}, CONSISTENT
    yield "task_states", {"agent_id": "a", "action_id": "b", "tool_id": "c"}, CONSISTENT
    yield "task_states", {"agent_id": "a", "tool_id": "c"}, CONSISTENT
    yield "task_states", {"action_id": "a", "tool_id": "c"}, CONSISTENT
    for column in ("agent_id", "action_id", "tool_id"):
        yield "task_states", {"execution_type": "router", column: "a"}, CONSISTENT
    yield "users", {"role": "root"}, "role"
    yield "users", {"email": "B@example.org"}, "email"
    yield "users", {"email": "b@"}, "email"
    yield "users", {"email": "b" * 321}, "email"
    yield "api_keys", {"name": LONG}, "name"
    yield "api_keys", {"hash": b"\x02" * 31}, "hash"
    yield "api_keys", {"hash": b"\x02" * 33}, "hash"
    yield "api_keys", {"prefix": "dgl_1234567"}, "prefix"
    yield "api_keys", {"prefix": "dgl_123456789"}, "prefix"


def test_checks_refuse_what_they_are_for(schema: Store) -> None:
    for table, changes, check in checks():
        with pytest.raises(CheckViolation) as caught:
            insert_second(schema, table, **changes)
        assert caught.value.constraint == f"ck_{table}_{check}", (table, changes)


BAD_TIMES: dict[Dialect, list[str]] = {
    "postgres": ["infinity", "-infinity", "10000-01-01 00:00:00+00", "0001-12-31 23:59:59+00 BC"],
    "sqlite": [
        "2026-01-31T09:05:07Z",
        "2026-01-31T09:05:07.123Z",
        "2026-01-31T09:05:07.0001234Z",
        "2026-01-31 09:05:07.000123Z",
        "2026-01-31T09:05:07.000123",
        "2026-01-31T09:05:07.000123+00:00",
        "2026-01-31T09:05:07.00012xZ",
        "2026-02-30T09:05:07.000123Z",
        "2025-02-29T09:05:07.000123Z",
        "2026-13-01T09:05:07.000123Z",
        "2026-01-31T24:00:00.000000Z",
        "2026-01-31T09:60:00.000000Z",
        "2026-01-31T09:05:60.000000Z",
        "0000-01-01T00:00:00.000000Z",
        "10000-01-01T00:00:00.00000Z",
        "٢٠٢٦-01-31T09:05:07.000123Z",
        "now",
        "",
    ],
}


def test_times_that_are_none_are_refused(schema: Store) -> None:
    for table, columns in TIMES.items():
        for column in columns:
            for time in BAD_TIMES[schema.dialect]:
                with pytest.raises(CheckViolation) as caught:
                    insert_second(schema, table, **{column: time})
                assert caught.value.constraint == f"ck_{table}_{column}", (table, column, time)


@pytest.mark.parametrize(
    "time", ["0001-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z", "2024-02-29T23:59:59.999999Z"]
)
def test_the_first_and_the_last_time_are_taken(time: str, schema: Store) -> None:
    for table, columns in TIMES.items():
        insert_second(schema, table, **dict.fromkeys(columns, time))


MALFORMED = ["{", "{'a': 1}", "{a: 1}", '{"a": NaN}', "[1,]"]


def test_malformed_json_is_refused(schema: Store) -> None:
    for table in ("workflow_states", "task_states"):
        for column in JSON:
            for text in MALFORMED:
                with pytest.raises(DatabaseError):
                    insert_second(schema, table, **{column: text})


def test_keys_are_unique(schema: Store) -> None:
    insert_second(schema, "workflow_states")
    insert_second(schema, "users")
    for table, changes in (
        ("workflow_states", {"workflow_exec_id": "w1"}),
        ("task_states", {"task_exec_id": "t1"}),
        ("task_states", {"task_exec_id": "t1", "workflow_exec_id": "w2"}),
        ("users", {"id": "u1", "email": "c@example.org"}),
        ("users", {"id": "u3", "email": "a@example.org"}),
        ("api_keys", {"id": "k1"}),
        ("api_keys", {"hash": b"\x01" * 32}),
        ("api_keys", {"prefix": "dgl_12345678"}),
    ):
        with pytest.raises(UniqueViolation):
            insert_second(schema, table, **changes)


def test_references_must_exist(schema: Store) -> None:
    insert_second(schema, "workflow_states")
    for table, changes in (
        ("task_states", {"workflow_exec_id": "w3"}),
        ("task_states", {"parent_state_id": "t3"}),
        ("task_states", {"workflow_exec_id": "w2", "parent_state_id": "t1"}),
        ("api_keys", {"user_id": "u3"}),
    ):
        with pytest.raises(ForeignKeyViolation):
            insert_second(schema, table, **changes)


def test_references_that_are_too_long_or_empty_are_refused(schema: Store) -> None:
    for table, column in (
        ("task_states", "workflow_exec_id"),
        ("task_states", "parent_state_id"),
        ("api_keys", "user_id"),
    ):
        for value in ("", LONG):
            with pytest.raises(CheckViolation) as caught:
                insert_second(schema, table, **{column: value})
            assert caught.value.constraint == f"ck_{table}_{column}"


def test_deleting_takes_what_belongs_to_it(schema: Store) -> None:
    insert_second(schema, "task_states", parent_state_id="t1")
    insert_second(schema, "api_keys")

    def count(table: str) -> object:
        return schema.rows(Statement("test.count", f"select count(*) from {table}"))[0][0]

    schema.count(Statement("test.delete", "delete from task_states where task_exec_id = 't1'", writes=True))
    assert count("task_states") == 0
    insert(schema, "task_states")
    schema.count(Statement("test.delete", "delete from workflow_states", writes=True))
    assert count("task_states") == 0
    schema.count(Statement("test.delete", "delete from users", writes=True))
    assert count("api_keys") == 0


NOT_NULL = {
    "workflow_states": ["workflow_exec_id", "workflow_id", "status"],
    "task_states": ["workflow_exec_id", "task_exec_id", "task_id", "workflow_id", "component", "status"],
    "users": ["id", "email", "role"],
    "api_keys": ["id", "user_id", "hash", "prefix"],
}


def test_columns_that_must_be_there_are_asked_for(schema: Store) -> None:
    for table, columns in NOT_NULL.items():
        for column in columns:
            with pytest.raises(NotNullViolation):
                insert_second(schema, table, **{column: None})


def test_a_row_written_by_hand_gets_its_defaults(schema: Store) -> None:
    omitted = dict.fromkeys(("created_at", "updated_at", "version", "usage", "input", "execution_type"))
    insert_second(schema, "workflow_states", **{k: v for k, v in omitted.items() if k != "execution_type"})
    insert_second(schema, "task_states", **omitted)
    rows = schema.rows(
        Statement(
            "test.defaults", "select version, execution_type, created_at from task_states where task_exec_id = 't2'"
        )
    )
    version, kind, created = rows[0]
    assert (version, kind) == (1, "basic")
    assert str(created).startswith("20")


@pytest.mark.parametrize(
    "changes",
    [
        {"agent_id": "a", "action_id": "b"},
        {"tool_id": "c"},
        {"execution_type": "router"},
        {"execution_type": "a new type", "agent_id": "a", "tool_id": "c"},
        {"parent_state_id": "t1"},
        {"task_exec_id": "\U0001f600" * 255, "task_id": "é" * 255},
        {"version": 2**53 - 1},
        {"usage": "[1]", "input": '{"a": [null]}', "output": "{}", "error": "{}"},
    ],
)
def test_good_rows_are_taken(changes: dict[str, Any], schema: Store) -> None:
    insert_second(schema, "task_states", **changes)


def test_a_value_of_another_type_is_refused(schema: Store) -> None:
    with pytest.raises(WrongType):
        insert_second(schema, "workflow_states", version="one")
