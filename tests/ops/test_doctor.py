"""The doctor changes nothing, names what is wrong, and says 'unknown' where it could not look."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from diglot.errors import ConfigurationError, DatabaseDamaged
from diglot.ops.doctor import Diagnosis, Limits, doctor
from diglot.ops.optimize import optimize
from diglot.ops.stats import stats
from diglot.ops.still import look_until_still
from diglot.project import Project
from diglot.stores.url import parse_url
from tests.cli.running import diglot
from tests.databases import POSTGRES, Databases
from tests.ops.awkward import fill
from tests.ops.backup.conftest import filled, url
from tests.ops.backup.databases import contents, server_of

__all__ = ["filled", "url"]


def looked(project: Project | None, url: str, **options: Any) -> Diagnosis:
    return doctor(project, parse_url(url), postgres_url=server_of(url), **options)


def states(diagnosis: Diagnosis) -> dict[str, str]:
    return {finding.check: finding.state for finding in diagnosis.findings}


def not_ok(diagnosis: Diagnosis) -> dict[str, str]:
    return {name: state for name, state in states(diagnosis).items() if state != "ok"}


def path_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


@pytest.fixture
def healthy(filled: str) -> str:
    optimize(parse_url(filled))
    return filled


@pytest.fixture
def sqlite_file(project: Project, tmp_path: Path) -> str:
    found = f"sqlite:///{tmp_path}/db/app.db"
    fill(found, project)
    optimize(parse_url(found))
    return found


def test_nothing_is_wrong_with_a_healthy_database_and_every_check_is_named(project: Project, healthy: str) -> None:
    diagnosis = looked(project, healthy, deep=True)
    assert diagnosis.ok
    common = {"reachable", "version", "integrity", "statistics", "disk_space", "migrations", "drift"}
    assert common <= states(diagnosis).keys()
    allowed = {"version", "disk_space", "integrity", "page_checksums"}
    assert set(not_ok(diagnosis)) <= allowed, diagnosis.findings
    assert states(diagnosis)["drift"] == "ok"


@pytest.mark.sqlite
def test_changes_and_leaves_nothing(project: Project, sqlite_file: str) -> None:
    folder = path_of(sqlite_file).parent
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    looked(project, sqlite_file, deep=True)
    stats(project, parse_url(sqlite_file))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


# --- faults ------------------------------------------------------------------------------------------------


def test_a_pending_migration(project: Project, healthy: str) -> None:
    assert project.migrations is not None
    for dialect in ("postgres", "sqlite"):
        tree = project.migrations / dialect
        (tree / "20260102000000_more.sql").write_text("create table more (id integer primary key);\n")
        (tree / "20260102000000_more.rollback.sql").write_text("drop table more;\n")
    diagnosis = looked(project, healthy)
    assert not diagnosis.ok
    found = next(finding for finding in diagnosis.findings if finding.check == "migrations")
    assert (found.state, found.detail, found.fix) == ("wrong", "pending: 20260102000000_more", "diglot migrate up")
    assert states(diagnosis)["drift"] == "unknown"


def test_a_schema_that_was_changed_by_hand(project: Project, healthy: str) -> None:
    with project.open(healthy) as db:
        from diglot.sql.session import Statement

        db.rows(Statement("test", "drop index ix_values_of_all_types_whole", writes=True))
    diagnosis = looked(project, healthy)
    found = next(finding for finding in diagnosis.findings if finding.check == "drift")
    assert found.state == "wrong"
    assert "ix_values_of_all_types_whole" in found.detail


@pytest.mark.sqlite
def test_a_row_that_refers_to_nothing(project: Project, sqlite_file: str) -> None:
    connection = sqlite3.connect(path_of(sqlite_file), isolation_level=None)
    connection.execute("pragma foreign_keys = off")
    connection.execute("update players set team_id = 'gone' where id = 'p3'")
    connection.close()
    assert not_ok(looked(project, sqlite_file)).get("foreign_keys") == "wrong"


@pytest.mark.sqlite
def test_a_damaged_page(project: Project, sqlite_file: str) -> None:
    connection = sqlite3.connect(path_of(sqlite_file), isolation_level=None)
    (page,) = connection.execute("select rootpage from sqlite_schema where name = 'players'").fetchone()
    connection.close()
    with path_of(sqlite_file).open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 2000)
    diagnosis = looked(project, sqlite_file)
    assert not_ok(diagnosis)["integrity"] == "wrong"


@pytest.mark.sqlite
def test_what_is_no_database_and_what_is_not_there(project: Project, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("hello " * 1000)
    for name in ("text.db", "none.db"):
        diagnosis = looked(project, f"sqlite:///{tmp_path}/{name}")
        found = states(diagnosis)
        assert found["reachable"] == "wrong"
        assert {found[name] for name in ("version", "integrity", "foreign_keys", "drift")} == {"unknown"}
        assert found["disk_space"] == "ok", "what is around the file is looked at all the same"
    assert not (tmp_path / "none.db").exists()
    (tmp_path / "none.db-wal").write_bytes(b"of another database")
    diagnosis = looked(project, f"sqlite:///{tmp_path}/none.db")
    assert states(diagnosis)["log"] == "wrong"


@pytest.mark.sqlite
def test_rights_and_leftovers(project: Project, sqlite_file: str) -> None:
    path = path_of(sqlite_file)
    path.chmod(0o644)
    left = path.with_name(".diglot-app.db.1234")
    left.write_text("left")
    found = looked(project, sqlite_file)
    assert states(found)["leftovers"] == "ok", "it may be of a backup that is running"
    fix = next(finding.fix for finding in found.findings if finding.check == "rights")
    assert fix == f"chmod 600 {path}", "other files with such a name are not meant"
    day_before = path.stat().st_mtime - 24 * 3600
    os.utime(left, (day_before, day_before))
    found_now = not_ok(looked(project, sqlite_file))
    assert (found_now["rights"], found_now["leftovers"]) == ("wrong", "warning")
    assert path.stat().st_mode & 0o777 == 0o644, "it only looks"
    path.chmod(0o600)
    path.parent.chmod(0o777)
    assert not_ok(looked(project, sqlite_file))["rights"] == "warning"


def with_many_rows(url: str, table: str, first: int, last: int) -> None:
    if url.startswith("postgres"):
        with psycopg.connect(url, autocommit=True) as other:
            other.execute(f"create table if not exists {table} (id bigint primary key, x text)".encode())
            other.execute(f"insert into {table} select n, 'x' from generate_series({first}, {last}) as n".encode())
            other.execute("select pg_stat_force_next_flush()")
        return
    with closing(sqlite3.connect(path_of(url), isolation_level=None)) as other:
        other.execute(f"create table if not exists {table} (id integer primary key, x text)")
        other.executemany(f"insert into {table} values (?, 'x')", [(n,) for n in range(first, last + 1)])


def statistics_of(url: str) -> str:
    diagnosis = looked(None, url)
    return next(f"{each.state}: {each.detail}" for each in diagnosis.findings if each.check == "statistics")


def test_statistics_that_are_missing_or_out_of_date(healthy: str) -> None:
    assert statistics_of(healthy).startswith("ok")
    with_many_rows(healthy, "many", 1, 2000)
    assert statistics_of(healthy) == "warning: never analyzed: many"
    optimize(parse_url(healthy))
    assert statistics_of(healthy).startswith("ok")
    with_many_rows(healthy, "many", 2001, 20000)
    assert statistics_of(healthy).startswith("warning: out of date: many")


@pytest.mark.sqlite
def test_every_broken_reference_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(
            "create table parents (id integer primary key, name text);"
            "create table a_children (id integer primary key, name text references parents (name));"
            "create table b_children (id text primary key, parent_id integer references parents (id)) without rowid;"
            "insert into a_children values (1, 'x'); insert into b_children values ('b', 7)"
        )
    found = {each.check: each for each in doctor(None, parse_url(f"sqlite:///{path}")).findings}["foreign_keys"]
    assert found.state == "wrong"
    assert found.detail == (
        "a_children: a foreign key refers to columns that are not a key; "
        "b_children: a row refers to a missing row of parents"
    )


@pytest.mark.sqlite
def test_the_locks_of_a_service_in_the_same_process_stay(project: Project, sqlite_file: str) -> None:
    """Closing a file drops every lock that the process has on it, whoever took it."""
    with project.open(sqlite_file):
        before = locks_on(path_of(sqlite_file))
        assert before
        looked(project, sqlite_file, deep=True)
        stats(project, parse_url(sqlite_file))
        assert locks_on(path_of(sqlite_file)) == before


def locks_on(path: Path) -> list[str]:
    inode = path.stat().st_ino
    lines = Path("/proc/locks").read_text().splitlines()
    return [line.split(":", 1)[1] for line in lines if f":{inode} " in line]


@pytest.mark.sqlite
def test_a_file_that_is_written_while_it_is_looked_at_is_looked_at_again(sqlite_file: str) -> None:
    seen = []

    def look() -> int:
        seen.append(path_of(sqlite_file).stat().st_size)
        if len(seen) == 1:
            with_many_rows(sqlite_file, "many", 1, 2000)
            raise DatabaseDamaged("half of it is of before, half of after")
        return seen[-1]

    assert look_until_still(parse_url(sqlite_file), look) == path_of(sqlite_file).stat().st_size
    assert len(seen) == 2


@pytest.mark.postgres
def test_transactions_indexes_and_constraints(project: Project, postgres_url: str) -> None:
    fill(postgres_url, project)
    optimize(parse_url(postgres_url))
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute("create table doubled (n integer)")
        other.execute("insert into doubled values (1), (1)")
        with pytest.raises(psycopg.errors.UniqueViolation):
            other.execute("create unique index concurrently uq_doubled on doubled (n)")
        other.execute("alter table doubled add constraint ck_doubled check (n > 1) not valid")
        other.execute("alter table players disable trigger all")
        other.autocommit = False
        other.execute("select 1")
        diagnosis = looked(project, postgres_url, limits=Limits(open=0.0, idle=0.0))
        details = {finding.check: finding for finding in diagnosis.findings}
        assert details["indexes"].state == "wrong"
        assert "uq_doubled" in details["indexes"].fix
        assert (details["constraints"].state, "ck_doubled" in details["constraints"].fix) == ("wrong", True)
        assert details["transactions"].state == "warning"
        assert details["triggers"].state == "wrong"
        assert "foreign key fk_players_team_id of players" in details["triggers"].detail
        assert states(looked(project, postgres_url))["transactions"] == "ok"


@pytest.fixture
def stranger(postgres_url: str) -> Iterator[Any]:
    """The settings of the database for a role that may not do anything in it."""
    name = f"stranger_{secrets.token_hex(4)}"
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f"create role {name} login".encode())
        yield msgspec.structs.replace(parse_url(postgres_url), user=name)
        admin.execute(f"drop owned by {name}".encode())
        admin.execute(f"drop role {name}".encode())


@pytest.mark.postgres
def test_what_a_role_may_not_see_is_unknown(project: Project, postgres_url: str, stranger: Any) -> None:
    fill(postgres_url, project)
    with_many_rows(postgres_url, "many", 1, 2000)
    with psycopg.connect(postgres_url) as other:
        other.execute("select 1")
        found = states(doctor(None, stranger, deep=True, limits=Limits(open=0.0, idle=0.0)))
    assert {found[name] for name in ("transactions", "statistics", "integrity")} == {"unknown"}
    sizes = stats(None, stranger)
    assert sizes.figures["wal_bytes"] is None
    many = next(table for table in sizes.tables if table.name == "many")
    assert many.rows is None
    assert many.bytes
    with pytest.raises(ConfigurationError, match=r"no table of .* could be processed: this role does not own it"):
        optimize(stranger)
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f"alter table many owner to {stranger.user}".encode())
    done = optimize(stranger)
    assert done.done == ["analyze of 1 table"]
    assert "players: this role does not own it" in done.left_out


@pytest.mark.postgres
def test_a_connection_without_a_schema(postgres_url: str) -> None:
    settings = msgspec.structs.replace(parse_url(postgres_url), options={"options": "-csearch_path=none"})
    found = states(doctor(None, settings))
    assert (found["reachable"], found["indexes"]) == ("wrong", "unknown")
    with pytest.raises(ConfigurationError, match="no schema of its own"):
        optimize(settings)


@pytest.mark.postgres
def test_quoted_names_partitions_and_locked_tables(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as other:
        other.execute('create table "Od""d" (n integer)')
        other.execute('alter table "Od""d" add constraint "c K" check (n > 1) not valid')
        other.execute("create table parted (id integer primary key) partition by range (id)")
        other.execute("create table parted_1 partition of parted for values from (0) to (1000)")
        other.execute("insert into parted select generate_series(1, 500)")
        fix = {each.check: each.fix for each in looked(None, postgres_url).findings}["constraints"]
        other.execute(f'delete from "Od""d"; {fix}'.encode())
        (parted,) = [table for table in stats(None, parse_url(postgres_url)).tables if table.name == "parted"]
        assert parted.rows == 500
        assert parted.bytes
        assert all(index.bytes for index in parted.indexes)
        other.autocommit = False
        other.execute("lock table parted")
        settings = msgspec.structs.replace(parse_url(postgres_url), lock_timeout=0.1)
        done = optimize(settings, vacuum=True)
        assert done.done == ["vacuum (analyze) of 1 table"]
        assert done.left_out == ["parted: locked by another session"]


@pytest.fixture
def direct_url(databases: Databases) -> Iterator[str]:
    server = databases.postgres(POSTGRES[-1])
    name = server.create(migrated=False)
    yield server.url(name)
    server.drop(name)


@pytest.mark.postgres
def test_through_a_pooler(pooled: Any, direct_url: str) -> None:
    with_many_rows(direct_url, "many", 1, 2000)
    with psycopg.connect(direct_url) as connection:
        settings = parse_url(pooled().url(connection.info.dbname))
    diagnosis = doctor(None, settings)
    assert diagnosis.ok, diagnosis
    assert states(diagnosis)["statistics"] == "warning"
    assert optimize(settings).done == ["analyze of 1 table"]
    assert states(doctor(None, settings))["statistics"] == "ok"
    with pytest.raises(ConfigurationError, match="VACUUM can't run through a connection pooler"):
        optimize(settings, vacuum=True)


@pytest.mark.postgres
def test_damage_that_amcheck_would_find_is_unknown_without_it(project: Project, postgres_url: str) -> None:
    fill(postgres_url, project)
    assert states(looked(project, postgres_url, deep=True))["integrity"] == "unknown"


def test_a_server_that_is_down(project: Project) -> None:
    found = states(doctor(project, parse_url("postgresql://nobody@127.0.0.1:1/none")))
    assert found.pop("reachable") == "wrong"
    assert set(found.values()) == {"unknown"}
    assert {"version", "indexes", "migrations", "drift"} <= found.keys()


# --- stats and optimize ------------------------------------------------------------------------------------


def test_stats_count_every_table(project: Project, healthy: str) -> None:
    found = stats(project, parse_url(healthy))
    assert {table.name: table.rows for table in found.tables} == {
        name: content.rows for name, content in contents(healthy).items()
    }
    players = next(table for table in found.tables if table.name == "players")
    if healthy.startswith("postgres"):
        assert players.bytes is not None
        assert all(index.bytes is not None and index.scans is not None for index in players.indexes)
    else:
        assert found.figures["auto_vacuum"] == "incremental"


def test_optimize_gathers_statistics_and_gives_room_back(project: Project, filled: str) -> None:
    from diglot.sql.session import Statement

    with project.open(filled) as db:
        before = contents(filled)
        for _ in range(3):
            db.rows(Statement("t", "update values_of_all_types set words = words", writes=True))
    done = optimize(parse_url(filled), vacuum=True)
    assert any("vacuum" in each for each in done.done)
    assert contents(filled) == before
    assert states(looked(project, filled))["statistics"] == "ok"


@pytest.mark.sqlite
def test_vacuum_lets_an_older_file_shrink_from_then_on(project: Project, tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("create table t (id integer primary key, text text)")
    connection.close()
    path.chmod(0o600)
    settings = parse_url(f"sqlite:///{path}")
    assert stats(None, settings).figures["auto_vacuum"] == "none"
    optimize(settings, vacuum=True)
    assert stats(None, settings).figures["auto_vacuum"] == "incremental"


# --- the commands ------------------------------------------------------------------------------------------


def test_the_commands(project: Project, healthy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.folder)
    more = ["--postgres-url", healthy] if server_of(healthy) else []
    done = diglot("doctor", "--database-url", healthy, *more)
    assert done.code == 0, done
    assert done.err.startswith("nothing is wrong")
    assert diglot("doctor", "--database-url", healthy, *more, "--format", "json").json["ok"] is True
    shown = diglot("stats", "--database-url", healthy)
    assert shown.code == 0
    assert "players" in shown.out
    assert diglot("stats", "--database-url", healthy, "--format", "json").json["tables"]
    assert diglot("optimize", "--database-url", healthy).code == 0
    missing = diglot("doctor", "--database-url", "sqlite:///none.db")
    assert missing.code == 1
    assert "there is no SQLite database" in missing.out
