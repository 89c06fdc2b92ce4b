"""Every connection is set up the way we rely on, and says so when SQLite does not do what it was told."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from diglot.errors import ConfigurationError, DatabaseError, DatabaseUnavailable
from diglot.stores.settings import SQLiteSettings
from diglot.stores.sqlite.connection import LIMITS, connect, pragmas, set_pragma, use_wal
from diglot.stores.sqlite.health import health as health_of
from diglot.stores.sqlite.library import choose, library, server_version, wal_reset_safe
from diglot.stores.sqlite.store import SQLiteStore, open_sqlite
from diglot.stores.sqlite.trouble import Trouble
from tests.stores.sqlite.workload import ENDLESS, read, write

pytestmark = pytest.mark.sqlite

EVERYWHERE = {
    "busy_timeout": 5000,
    "foreign_keys": 1,
    "recursive_triggers": 1,
    "cell_size_check": 1,
    "temp_store": 2,
    "secure_delete": 1,
}
ON_FILE = {**EVERYWHERE, "journal_mode": "wal", "synchronous": 2, "mmap_size": 0, "journal_size_limit": 64 * 1024**2}


@pytest.mark.parametrize(
    ("path", "writes", "expected"),
    [
        pytest.param("app.db", True, {**ON_FILE, "query_only": 0, "wal_autocheckpoint": 1000}, id="writer"),
        pytest.param("app.db", False, {**ON_FILE, "query_only": 1, "wal_autocheckpoint": 0}, id="reader"),
        pytest.param(":memory:", True, {**EVERYWHERE, "query_only": 0}, id="memory, writing"),
        pytest.param(":memory:", False, {**EVERYWHERE, "query_only": 1}, id="memory, reading"),
    ],
)
def test_a_connection_has_every_setting(
    path: str, writes: bool, expected: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    statement = write if writes else read
    with open_sqlite(SQLiteSettings(path=path)) as store:
        found = {name: store.rows(statement(f"pragma {name}"))[0][0] for name in expected}
    assert found == expected


def test_the_schema_is_trusted_only_where_its_json_checks_need_it(tmp_path: Path) -> None:
    table = "create table t (document text check (json_valid(document))) strict"
    bare = library().connect(":memory:")
    bare.execute("pragma trusted_schema = 0")
    try:
        bare.execute(table)
        bare.execute("insert into t values ('{}')")
        needed = 0
    except library().Error:
        needed = 1
    finally:
        bare.close()
    with open_sqlite(SQLiteSettings(path=str(tmp_path / "app.db"))) as store:
        assert store.rows(write("pragma trusted_schema")) == [(needed,)]
        store.count(write(table))
        assert store.count(write("insert into t values ('{}')")) == 1


def test_relaxed_is_synchronous_normal(tmp_path: Path) -> None:
    with open_sqlite(SQLiteSettings(path=str(tmp_path / "app.db"), synchronous="relaxed")) as store:
        assert store.rows(write("pragma synchronous")) == [(1,)]


def test_limits_are_set_where_the_library_can(tmp_path: Path) -> None:
    link = connect(":memory:", "memory", SQLiteSettings(path=":memory:"), Trouble(None))
    if hasattr(link.connection, "getlimit"):
        driver = library()
        found = {name: link.connection.getlimit(getattr(driver, f"SQLITE_LIMIT_{name}")) for name in LIMITS}
        assert found == LIMITS
    if hasattr(link.connection, "getconfig"):
        assert link.connection.getconfig(library().SQLITE_DBCONFIG_DEFENSIVE)
        with pytest.raises(library().Error):
            link.connection.execute('select "no such column"')
    link.connection.close()


def test_extensions_can_not_be_loaded(tmp_path: Path) -> None:
    with (
        open_sqlite(SQLiteSettings(path=str(tmp_path / "app.db"))) as store,
        pytest.raises(DatabaseError, match="not authorized"),
    ):
        store.rows(read("select load_extension('x')"))


def test_a_setting_that_sqlite_does_not_take_is_an_error() -> None:
    connection = library().connect(":memory:")
    with pytest.raises(DatabaseError, match=r"did not accept 'pragma temp_store = 7'"):
        set_pragma(connection, "temp_store", 7)
    with pytest.raises(DatabaseUnavailable, match="could not switch the database to its write-ahead log"):
        use_wal(connection)
    connection.close()


def test_a_connection_that_can_not_be_set_up_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diglot.stores.sqlite.connection.pragmas", lambda *_: {"temp_store": 7})
    with pytest.raises(DatabaseError, match="did not accept"):
        open_sqlite(SQLiteSettings(path=str(tmp_path / "app.db")))


def test_no_file_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable):
        connect(f"file:{tmp_path}/none.db?mode=rw", "writer", SQLiteSettings(path="none.db"), Trouble(None))


def test_an_exception_that_comes_up_while_sqlite_works_is_kept_and_ends_the_statement() -> None:
    link = connect(":memory:", "memory", SQLiteSettings(path=":memory:"), Trouble(None))
    ticks = link.watch.ticks()
    assert next(ticks) is False
    assert ticks.throw(KeyboardInterrupt()) is True
    with pytest.raises(KeyboardInterrupt):
        raise link.failure(ValueError("interrupted"), None)
    assert next(ticks) is False, "the next statement runs"
    ticks.close()
    link.connection.close()


@pytest.mark.parametrize("tick", [1_000, 10_000_000], ids=["after the first look at the clock", "before it"])
def test_the_exception_of_a_signal_ends_the_statement(
    tick: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Alarm(BaseException):
        pass

    def ring(*_: object) -> None:
        raise Alarm

    monkeypatch.setattr("diglot.stores.sqlite.connection.TICK", tick)
    before = signal.signal(signal.SIGALRM, ring)
    try:
        with open_sqlite(SQLiteSettings(path=str(tmp_path / "app.db"))) as store:
            store.rows(read("select 1"))
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            with pytest.raises(Alarm):
                store.rows(ENDLESS)
            assert store.rows(read("select 1")) == [(1,)]
    finally:
        signal.signal(signal.SIGALRM, before)


def test_only_the_writer_checkpoints_by_itself() -> None:
    settings = SQLiteSettings(path="x")
    assert pragmas("writer", settings)["wal_autocheckpoint"] == 1000
    assert pragmas("reader", settings)["wal_autocheckpoint"] == 0


# --- which library -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 6, 23), True),
        ((3, 7, 0), False),
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 45, 0), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 53, 4), True),
        ((4, 0, 0), True),
    ],
)
def test_versions_with_the_wal_reset_bug_are_known(version: tuple[int, ...], safe: bool) -> None:
    assert wal_reset_safe(version) is safe


def test_an_unsafe_library_is_told_once_for_each_file_and_in_the_statistics(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.WARNING, "diglot.advice")
    for safe in (True, False):
        monkeypatch.setattr("diglot.stores.sqlite.store.wal_reset_safe", lambda _, safe=safe: safe)
        caplog.clear()
        with open_sqlite(SQLiteSettings(path=str(tmp_path / f"{safe}.db"))):
            assert ["at once" in record.getMessage() for record in caplog.records] == ([] if safe else [True])
    caplog.clear()
    with open_sqlite(SQLiteSettings(path=":memory:")) as store:
        assert caplog.records == [], "nobody else can write to memory"
        assert store.statistics()["sqlite_wal_reset_safe"] == wal_reset_safe(library().sqlite_version_info)


def test_the_library_is_chosen_by_name() -> None:
    import sqlite3

    assert choose("stdlib") is sqlite3
    assert choose("").__name__ in ("pysqlite3", "sqlite3")
    with pytest.raises(ConfigurationError, match="DIGLOT_SQLITE_LIBRARY is 'apsw': use 'pysqlite3' or 'stdlib'"):
        choose("apsw")
    assert server_version() == f"SQLite {library().sqlite_version}"


def test_without_pysqlite3_the_standard_library_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlite3

    monkeypatch.setitem(sys.modules, "pysqlite3", None)
    assert choose("") is sqlite3
    with pytest.raises(ConfigurationError, match="'pysqlite3', which is not installed"):
        choose("pysqlite3")


@pytest.mark.parametrize("name", ["stdlib", ""])
def test_the_environment_decides_for_everybody(name: str) -> None:
    script = (
        "import os, sys; os.environ['DIGLOT_SQLITE_LIBRARY'] = sys.argv[1]\n"
        "from diglot.stores.settings import SQLiteSettings\n"
        "from diglot.stores.sqlite.store import open_sqlite\n"
        "from diglot.stores.sqlite.library import library\n"
        "open_sqlite(SQLiteSettings(path=':memory:')).close()\n"
        "print(library().__name__, 'sqlite3' in sys.modules, 'pysqlite3' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script, name], capture_output=True, text=True, check=True)
    used, stdlib, other = done.stdout.split()
    assert (used == "sqlite3") == (stdlib == "True" and other == "False")


# --- health and numbers ------------------------------------------------------------------------------------


def test_a_healthy_store_passes_every_check(tmp_path: Path) -> None:
    with open_sqlite(SQLiteSettings(path=str(tmp_path / "app.db"))) as store:
        health = store.health()
        assert health.ok, health
        assert [check.name for check in health.checks] == [
            *("reachable", "foreign_keys", "journal_mode", "writable", "quick_check", "foreign_key_check"),
            *("private", "disk_space"),
        ]
        assert all(check.milliseconds > 0 for check in health.checks)
        with store.transaction():
            assert store.health().ok, "also in a transaction of its own"
    with open_sqlite(SQLiteSettings(path=":memory:")) as store:
        assert [check.ok for check in store.health().checks] == [True] * 6
        with store.transaction() as transaction:
            transaction.script(write("create table t (x)"))
            assert store.health().ok
            assert store.statistics()["database_sqlite_page_count"] > 0
        assert store.rows(read("select * from t")) == []


def _broken_reference(store: SQLiteStore, path: Path) -> None:
    store.script(write("create table a (id integer primary key); create table b (a references a (id))"))
    with store.migration_connection(1) as connection:
        connection.execute("insert into b values (9)")


def _open_to_others(store: SQLiteStore, path: Path) -> None:
    path.chmod(0o644)


def _replaced(store: SQLiteStore, path: Path) -> None:
    path.unlink()
    path.touch(0o600)


def _linked(store: SQLiteStore, path: Path) -> None:
    path.with_name("second name").hardlink_to(path)


@pytest.mark.parametrize(
    ("spoil", "check"),
    [
        pytest.param(_broken_reference, "foreign_key_check", id="broken reference"),
        pytest.param(_open_to_others, "private", id="open to others"),
        pytest.param(_replaced, "reachable", id="replaced"),
        pytest.param(_linked, "reachable", id="linked"),
    ],
)
def test_what_is_wrong_is_seen(spoil: Any, check: str, tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    with open_sqlite(SQLiteSettings(path=str(path))) as store:
        spoil(store, path)
        health = store.health()
        assert not health.ok
        assert [each.name for each in health.checks if not each.ok] == [check]


def test_a_full_disk_is_seen(tmp_path: Path) -> None:
    with open_sqlite(SQLiteSettings(path=str(tmp_path / "app.db"))) as store:
        health = health_of(store.connections, store._reading, True, None, little_space=2**63)
        assert [each.name for each in health.checks if not each.ok] == ["disk_space"]


def test_a_wrong_setting_is_seen(tmp_path: Path) -> None:
    with open_sqlite(SQLiteSettings(path=str(tmp_path / "app.db"), readers=1)) as store:
        store.rows(read("pragma foreign_keys = 0"))
        [wrong] = [each for each in store.health().checks if not each.ok]
        assert (wrong.name, wrong.detail) == ("foreign_keys", "it is 0 and must be 1")


def test_a_check_of_the_whole_file_ends_in_time(tmp_path: Path) -> None:
    with open_sqlite(SQLiteSettings(path=str(tmp_path / "app.db"))) as store:
        store.script(write("create table t (id integer primary key, name text)"))
        fill = "with recursive q(x) as (select 1 union all select x + 1 from q where x < 100000) "
        store.count(write(f"{fill} insert into t select x, x from q"))
        health = health_of(store.connections, store._reading, True, None, box=0.000_001)
        assert health.ok
        assert "nothing wrong in the part" in next(c.detail for c in health.checks if c.name == "quick_check")


def test_statistics_are_the_files_own_numbers(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    with open_sqlite(SQLiteSettings(path=str(path))) as store:
        store.script(write("create table t (b blob); insert into t values (zeroblob(100000))"))
        found = store.statistics()
        assert found["database_sqlite_wal_size_bytes"] == path.with_name("app.db-wal").stat().st_size > 100_000
        assert found["database_sqlite_page_count"] > 20
        assert (found["database_connection_pool_size"], found["database_connection_pool_active"]) == (1, 0)
        result = store.checkpoint()
        assert result.complete
        found = store.statistics()
        assert found["database_sqlite_wal_size_bytes"] == 0
        assert (
            found["database_sqlite_file_size_bytes"]
            == path.stat().st_size
            == found["database_sqlite_page_count"] * 4096
        )
        store.count(write("delete from t"))
        assert store.statistics()["database_sqlite_free_pages"] > 0


def test_a_checkpoint_goes_as_far_as_readers_let_it(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    with open_sqlite(SQLiteSettings(path=str(path))) as store, open_sqlite(SQLiteSettings(path=str(path))) as other:
        store.script(write("create table t (b blob)"))
        with other.snapshot() as snapshot:
            snapshot.rows(read("select count(*) from t"))
            store.count(write("insert into t values (zeroblob(100000))"))
            kept = store.checkpoint()
            assert not kept.complete
            assert kept.moved_pages < kept.log_pages
            assert not store.checkpoint("PASSIVE").complete
        assert store.checkpoint() == (True, 0, 0)
        assert store.rows(write("pragma busy_timeout")) == [(5000,)]


def test_a_checkpoint_that_fails_is_an_error_of_ours_and_the_next_works(tmp_path: Path) -> None:
    with open_sqlite(SQLiteSettings(path=str(tmp_path / "app.db"))) as store:
        with pytest.raises(DatabaseError, match="syntax error"):
            store.checkpoint("(")  # type: ignore[arg-type]
        assert store.checkpoint().complete
        assert store.rows(write("pragma busy_timeout")) == [(5000,)]
