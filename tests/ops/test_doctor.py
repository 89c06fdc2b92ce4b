"""The doctor changes nothing, names what is wrong, and says 'unknown' where it could not look."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import psycopg
import pytest

from diglot.ops.doctor import Diagnosis, Limits, doctor
from diglot.ops.optimize import optimize
from diglot.ops.stats import stats
from diglot.project import Project
from diglot.stores.url import parse_url
from tests.cli.running import diglot
from tests.ops.awkward import fill
from tests.ops.test_backup import contents, filled, server_of, url

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
        from diglot.stores.session import Statement

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
        assert [(finding.check, finding.state) for finding in diagnosis.findings] == [("reachable", "wrong")]
    assert not (tmp_path / "none.db").exists()


@pytest.mark.sqlite
def test_rights_leftovers_and_statistics(project: Project, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/db/app.db"
    fill(url, project)
    connection = sqlite3.connect(path_of(url), isolation_level=None)
    for (table,) in connection.execute("select name from sqlite_schema where name like 'sqlite_stat%'").fetchall():
        connection.execute(f"delete from {table}")
    connection.close()
    path_of(url).chmod(0o644)
    (tmp_path / "db" / ".diglot-app.db.1234").write_text("left")
    found = not_ok(looked(project, url))
    assert (found["rights"], found["leftovers"], found["statistics"]) == ("wrong", "warning", "warning")
    assert path_of(url).stat().st_mode & 0o777 == 0o644, "it only looks"


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
        other.autocommit = False
        other.execute("select 1")
        diagnosis = looked(project, postgres_url, limits=Limits(open=0.0, idle=0.0))
        details = {finding.check: finding for finding in diagnosis.findings}
        assert details["indexes"].state == "wrong"
        assert "uq_doubled" in details["indexes"].fix
        assert (details["constraints"].state, "ck_doubled" in details["constraints"].fix) == ("wrong", True)
        assert details["transactions"].state == "warning"
        assert states(looked(project, postgres_url))["transactions"] == "ok"


@pytest.mark.postgres
def test_damage_that_amcheck_would_find_is_unknown_without_it(project: Project, postgres_url: str) -> None:
    fill(postgres_url, project)
    assert states(looked(project, postgres_url, deep=True))["integrity"] == "unknown"


def test_a_server_that_is_down(project: Project) -> None:
    diagnosis = doctor(project, parse_url("postgresql://nobody@127.0.0.1:1/none"))
    assert [(finding.check, finding.state) for finding in diagnosis.findings] == [("reachable", "wrong")]


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
    from diglot.stores.session import Statement

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
