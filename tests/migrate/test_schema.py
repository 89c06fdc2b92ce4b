"""The packaged schema: each migration can be undone, and both databases name everything the same."""

from __future__ import annotations

import re

from diglot.sql.session import DIALECTS, Dialect, Statement
from diglot.statestore.project import TREES
from diglot.stores.store import Store
from tests.migrate.dump import dump, indexes, tables
from tests.migrate.rows import GOOD, insert, packaged

# --- the chain ---------------------------------------------------------------------------------------------


def test_each_migration_undoes_exactly_what_it_did(store: Store) -> None:
    runner, before = packaged(store), []
    for migration in TREES.migration_tree(store.dialect):
        before.append(dump(store))
        runner.up(target=migration.id)
    complete = dump(store)
    assert tables(store) == ["api_keys", "task_states", "users", "workflow_states"]
    while before:
        runner.down()
        assert dump(store) == before.pop()
    assert runner.up()
    assert dump(store) == complete


def test_a_migration_keeps_the_rows_that_are_there(store: Store) -> None:
    runner = packaged(store)
    runner.up(target="20250711163858_create_api_keys")
    for table in GOOD:
        insert(store, table, version=None)
    runner.up()
    assert store.rows(Statement("test.versions", "select version from workflow_states")) == [(1,)]
    assert runner.data_loss(TREES.migration_tree(store.dialect).get("20250801090000_add_versions")) == [
        "column task_states.version: it has values",
        "column workflow_states.version: it has values",
    ]
    runner.down(2)
    runner.up()
    assert store.rows(Statement("test.versions", "select version from task_states")) == [(1,)]


# --- both dialects say the same ----------------------------------------------------------------------------


def names(dialect: Dialect) -> dict[str, list[str]]:
    """What the files of a dialect name, migration by migration, in their order."""
    pattern = re.compile(
        r"\b(?:constraint|index|table|column) ((?:pk|fk|uq|ck|ix)?_?[a-z_]+)|^    ([a-z_]+) [a-z]+", re.M
    )
    return {
        migration.id: [a or b for a, b in pattern.findall(re.sub(r"--.*|.* set statistics .*", "", migration.text))]
        for migration in TREES.migration_tree(dialect)
    }


def test_both_dialects_name_the_same_things_in_the_same_order() -> None:
    postgres, sqlite = (names(dialect) for dialect in DIALECTS)
    assert postgres == sqlite
    assert sum(map(len, postgres.values())) > 100, "the pattern finds the names"


EXPECTED_INDEXES = {
    "ix_workflow_states_created_at": ("workflow_states", "created_at desc, workflow_exec_id desc"),
    "ix_workflow_states_status_created_at": ("workflow_states", "status, created_at desc, workflow_exec_id desc"),
    "ix_workflow_states_workflow_id_created_at": (
        "workflow_states",
        "workflow_id, created_at desc, workflow_exec_id desc",
    ),
    "ix_workflow_states_workflow_id_status_created_at": (
        "workflow_states",
        "workflow_id, status, created_at desc, workflow_exec_id desc",
    ),
    "ix_workflow_states_workflow_id_updated_at": (
        "workflow_states",
        "workflow_id, updated_at desc, workflow_exec_id desc",
    ),
    "uq_task_states_task_exec_id": ("task_states", "task_exec_id"),
    "ix_task_states_created_at": ("task_states", "created_at, task_exec_id"),
    "ix_task_states_status_created_at": ("task_states", "status, created_at, task_exec_id"),
    "ix_task_states_workflow_exec_id_created_at": ("task_states", "workflow_exec_id, created_at, task_exec_id"),
    "ix_task_states_workflow_exec_id_status": ("task_states", "workflow_exec_id, status, created_at, task_exec_id"),
    "ix_task_states_workflow_exec_id_no_parent": (
        "task_states",
        "workflow_exec_id, created_at, task_exec_id) where (parent_state_id is null",
    ),
    "ix_task_states_parent_state_id": (
        "task_states",
        "parent_state_id, workflow_exec_id, created_at, task_exec_id) where (parent_state_id is not null",
    ),
    "ix_task_states_task_id": ("task_states", "task_id, workflow_exec_id, created_at, task_exec_id"),
    "ix_task_states_workflow_id_created_at": ("task_states", "workflow_id, created_at, task_exec_id"),
    "ix_task_states_workflow_id_task_id": ("task_states", "workflow_id, task_id, created_at, task_exec_id"),
    "ix_task_states_workflow_id_agent_id": (
        "task_states",
        "workflow_id, agent_id, created_at, task_exec_id) where (agent_id is not null",
    ),
    "ix_task_states_workflow_id_tool_id": (
        "task_states",
        "workflow_id, tool_id, created_at, task_exec_id) where (tool_id is not null",
    ),
    "uq_users_email": ("users", "lower(email)"),
    "ix_users_role": ("users", "role"),
    "ix_users_created_at": ("users", "created_at desc, id desc"),
    "uq_api_keys_hash": ("api_keys", "hash"),
    "uq_api_keys_prefix": ("api_keys", "prefix"),
    "ix_api_keys_user_id_created_at": ("api_keys", "user_id, created_at desc, id desc"),
}


def test_indexes_are_those_that_were_planned(schema: Store) -> None:
    found = {
        name: (
            table,
            unique,
            re.sub(r"where (\w+ is (?:not )?null)$", r"where (\1)", columns),
        )
        for name, (table, unique, columns) in indexes(schema).items()
    }
    assert found == {
        name: (table, name.startswith("uq_"), f"({columns})") for name, (table, columns) in EXPECTED_INDEXES.items()
    }


def test_no_index_is_the_beginning_of_another(schema: Store) -> None:
    primary = [
        ("task_states", "workflow_exec_id, task_exec_id"),
        ("workflow_states", "workflow_exec_id"),
        ("users", "id"),
    ]
    found = [(table, columns.strip("()").split(")")[0]) for table, _, columns in indexes(schema).values()] + primary
    for table, columns in found:
        longer = [c for t, c in found if t == table and c.startswith(f"{columns}, ")]
        # Unique and primary keys are there for what they refuse, not for what they find.
        assert not longer or (table, columns) in primary or columns in ("task_exec_id", "hash", "prefix")
    # Two indexes may have the same columns where one has a part of the rows only.
    whole = list(indexes(schema).values())
    assert len(set(whole)) == len(whole)
