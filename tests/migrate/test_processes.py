"""Any number of processes may migrate at once, and any of them may be killed: the next start finishes the work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from diglot.sql.session import Statement
from diglot.statestore.project import TREES
from diglot.stores import open_store
from diglot.stores.sqlite.library import library
from diglot.stores.store import Store
from diglot.stores.url import parse_url
from tests.migrate.child import start
from tests.migrate.dump import tables
from tests.migrate.trees import Tree

PROCESSES = 6
SLOW = {
    "sqlite": """
        insert into sink
        with recursive n (i) as (select 1 union all select i + 1 from n where i < (select amount from pace))
        select i from n;""",
    "postgres": "select pg_sleep((select amount from pace));",
}


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/app.db"


# --- many at once ------------------------------------------------------------------------------------------


@pytest.mark.sqlite
def test_processes_that_start_at_once_all_succeed_on_sqlite(sqlite_url: str) -> None:
    all_start_at_once(sqlite_url)


def test_processes_that_start_at_once_all_succeed_on_postgres(postgres_url: str) -> None:
    all_start_at_once(postgres_url)


@pytest.mark.sqlite
def test_processes_that_start_at_once_all_succeed_on_sqlite_in_each_layout(sqlite_url: str, tree: Tree) -> None:
    all_start_at_once(sqlite_url, tree)


def test_processes_that_start_at_once_all_succeed_on_postgres_in_each_layout(postgres_url: str, tree: Tree) -> None:
    all_start_at_once(postgres_url, tree)


def all_start_at_once(url: str, tree: Tree | None = None) -> None:
    """They apply this tree, or the packaged one."""
    processes = [start(url, tree.folder if tree else None) for _ in range(PROCESSES)]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", process.communicate()[1]
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = [process.communicate(timeout=180) for process in processes]
        assert [process.returncode for process in processes] == [0] * PROCESSES, answers
        applied = [id for output, _ in answers for id in json.loads(output)]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    with open_store(parse_url(url)) as store:
        ids = tree.ids("abc") if tree else TREES.migration_tree(store.dialect).ids
        assert applied == ids, "each was applied once"
        state_store = ["api_keys", "task_states", "users", "workflow_states"]
        assert tables(store) == (["a", "b", "c"] if tree else state_store)
        logged = store.rows(Statement("test.log", "select operation from _yoyo_log"))
        assert logged == [("apply",)] * len(applied)


# --- one that is killed ------------------------------------------------------------------------------------


@pytest.mark.sqlite
def test_a_process_killed_in_a_migration_leaves_nothing_of_it_on_sqlite(
    sqlite_url: str, tmp_path: Path, tree: Tree
) -> None:
    def in_the_middle() -> bool:
        other = library().connect(tmp_path / "app.db", timeout=0, isolation_level=None)
        try:
            other.execute("begin immediate")
        except library().OperationalError:
            return True
        finally:
            other.close()
        return False

    killed_in_the_middle(sqlite_url, tree, in_the_middle, slow=10**12)


def test_a_process_killed_in_a_migration_leaves_nothing_of_it_on_postgres(postgres_url: str, tree: Tree) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as watcher:

        def in_the_middle() -> bool:
            found = watcher.execute(
                "select 1 from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"
            )
            return found.fetchone() is not None

        killed_in_the_middle(postgres_url, tree, in_the_middle, slow=600)


def killed_in_the_middle(url: str, tree: Tree, in_the_middle: Callable[[], bool], *, slow: int) -> None:
    with open_store(parse_url(url)) as store:
        tree.write(
            "a", "create table a (id integer); create table pace (amount bigint); create table sink (i integer);"
        )
        tree.write("b", f"create table b (id integer);\n{SLOW[store.dialect]}")
        tree.migrator(store).up(target=tree.id("a"))
        pace(store, slow)
    process = start(url, tree.folder)
    try:
        tell(process)
        assert wait(lambda: in_the_middle() or process.poll() is not None)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    finally:
        process.kill()
        process.communicate()
    with open_store(parse_url(url)) as store:
        assert tree.states(store) == ["applied", "pending", "pending"]
        assert tables(store) == ["a", "pace", "sink"]
        pace(store, 0)
        assert tree.letters(tree.migrator(store).up()) == "bc"
        assert tables(store) == ["a", "b", "c", "pace", "sink"]


def pace(store: Store, amount: int) -> None:
    store.count(Statement("test.pace", "delete from pace", writes=True))
    store.count(Statement("test.pace", f"insert into pace values ({amount})", writes=True))


def tell(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("go\n")
    process.stdin.flush()


def wait(condition: Callable[[], bool], seconds: float = 120.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
