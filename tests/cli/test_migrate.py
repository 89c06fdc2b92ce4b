"""``diglot migrate`` on real databases: what is done is said, and nothing is lost without a yes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from diglot import statestore
from diglot.migrate.tree import MigrationTree
from diglot.sql.session import Dialect
from diglot.statestore.project import TREES
from tests.cli.running import Result, diglot, terminal
from tests.databases import POSTGRES_PARAMS, SQLITE_PARAMS

IDS = MigrationTree.read(TREES.migrations, "sqlite").ids
Run = Callable[..., Result]
on_every_lasting_database = pytest.mark.parametrize("database_url", SQLITE_PARAMS[:1] + POSTGRES_PARAMS, indirect=True)


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(database_url: str) -> Run:
    """The command on an empty database, in this process."""
    return lambda *arguments, **more: diglot("migrate", *arguments, "--database-url", database_url, **more)


def states(run: Run) -> list[str]:
    done = run("status", "--format", "json")
    assert [one["id"] for one in done.json["migrations"]] == IDS
    return [one["state"] for one in done.json["migrations"]]


@on_every_lasting_database
def test_up_applies_what_is_pending_once(run: Run) -> None:
    assert states(run) == ["pending"] * len(IDS)
    assert run("up") == (0, "".join(f"applied {id}\n" for id in IDS), "")
    assert states(run) == ["applied"] * len(IDS)
    assert run("up") == (0, "", "nothing to apply: the schema is up to date\n")
    assert run("up", "--format", "json").json == {"applied": [], "dry_run": False}


@on_every_lasting_database
def test_up_and_down_take_a_number(run: Run) -> None:
    assert run("up", "2", "--format", "json").json["applied"] == IDS[:2]
    assert states(run) == ["applied"] * 2 + ["pending"] * (len(IDS) - 2)
    assert run("up", "1").out == f"applied {IDS[2]}\n"
    assert run("down", "2", "--format", "json").json == {"rolled_back": [IDS[2], IDS[1]], "dry_run": False}
    assert run("down").out == f"rolled back {IDS[0]}\n"
    assert run("down") == (0, "", "nothing to roll back\n")
    assert states(run) == ["pending"] * len(IDS)


@on_every_lasting_database
def test_a_dry_run_changes_nothing(run: Run) -> None:
    assert run("up", "--dry-run").out == "".join(f"would apply {id}\n" for id in IDS)
    assert states(run) == ["pending"] * len(IDS)
    run("up")
    assert run("down", "1", "--dry-run").out == f"would roll back {IDS[-1]}\n"
    assert states(run) == ["applied"] * len(IDS)


@on_every_lasting_database
def test_the_sql_can_be_reviewed_before(run: Run, database_url: str) -> None:
    dialect: Dialect = "sqlite" if database_url.startswith("sqlite") else "postgres"
    tree = MigrationTree.read(TREES.migrations, dialect)
    shown = run("up", "--dry-run", "--show-sql")
    for migration in tree:
        assert f"-- {migration.file}\n{migration.text.strip()}\n" in shown.out
    assert shown.err.endswith(f"would apply: {', '.join(IDS)}\n")
    run("up")
    back = run("down", "--dry-run", "--show-sql", "--format", "json").json
    assert tree.get(IDS[-1]).rollback_text.strip() in back["sql"]
    assert back["dry_run"] is True


def test_status_and_a_dry_run_do_not_make_a_database(tmp_path: Path) -> None:
    for arguments in (["status"], ["up", "--dry-run"]):
        done = diglot("migrate", *arguments, "--db-path", "new/app.db")
        assert done.code == 0
        assert done.err == "new/app.db does not exist yet\n"
        assert all(id in done.out for id in IDS)
    done = diglot("migrate", "down", "--db-path", "new/app.db")
    assert (done.code, done.err) == (1, "diglot: new/app.db does not exist: there is nothing to roll back\n")
    assert not Path("new").exists()


def test_status_leaves_a_file_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    path.touch(0o644)
    assert "pending" in diglot("migrate", "status", "--db-path", str(path)).out
    assert [(each.name, each.stat().st_size, each.stat().st_mode & 0o777) for each in tmp_path.iterdir()] == [
        ("empty.db", 0, 0o644)
    ]


def test_a_database_in_memory_has_nothing_yet() -> None:
    done = diglot("migrate", "status", "--db-path", ":memory:", "--format", "json")
    assert {one["state"] for one in done.json["migrations"]} == {"pending"}


@on_every_lasting_database
def test_status_is_a_table_for_people(run: Run) -> None:
    run("up", "1")
    lines = run("status").out.splitlines()
    assert lines[0].split() == ["ID", "STATE", "APPLIED"]
    assert re.fullmatch(rf"{IDS[0]} +applied +20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC", lines[1])
    assert lines[2].split() == [IDS[1], "pending"]


def with_data(database_url: str) -> None:
    with statestore.open(database_url, migrate=True) as db:
        db.users.create("ada@example.org")


@on_every_lasting_database
def test_down_refuses_to_lose_data_without_a_yes(run: Run, database_url: str) -> None:
    with_data(database_url)
    done = run("down", str(len(IDS)))
    assert done.code == 1
    assert done.out == ""
    (line,) = done.err.splitlines()
    assert line.startswith("diglot: rolling back would lose data (")
    assert "table users" in line
    assert line.endswith("confirm with --yes")
    assert states(run) == ["applied"] * len(IDS)
    assert "this would be lost: table users" in run("down", str(len(IDS)), "--dry-run").err
    assert run("down", str(len(IDS)), "--yes").code == 0
    assert states(run) == ["pending"] * len(IDS)


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("typed", "code", "state"), [("n\n", 1, "applied"), ("\n", 1, "applied"), ("y\n", 0, "pending")]
)
def test_down_asks_a_person(typed: str, code: int, state: str, tmp_path: Path) -> None:
    with_data("app.db")
    ended, shown = terminal(
        "migrate", "down", str(len(IDS)), "--db-path", "app.db", answers=("[y/N]: ", typed), cwd=tmp_path
    )
    assert ended == code
    assert "this will be lost: table users" in shown
    assert "Roll back anyway? [y/N]: " in shown
    assert ("diglot: nothing was rolled back" in shown) == (code == 1)
    after = diglot("migrate", "status", "--db-path", "app.db", "--format", "json").json
    assert {one["state"] for one in after["migrations"]} == {state}


@on_every_lasting_database
def test_an_edited_migration_is_seen_and_blessed(run: Run, database_url: str) -> None:
    run("up")
    with statestore.open(database_url, migrate=False) as db:
        from diglot.sql.session import Statement

        change = "update diglot_migration_checksum set sha256 = 'x' where migration_id like '20250603124835%'"
        db.store.count(Statement("test.edit", change, writes=True))
    done = run("status")
    assert done.code == 1
    assert "was changed after it was applied" in done.err
    assert states(run)[0] == "edited"
    refused = run("up")
    assert (refused.code, refused.out) == (1, "")
    assert f"diglot migrate bless {IDS[0]}" in refused.err
    assert run("bless", IDS[1]) == (0, "", "no migration was edited\n")
    assert run("bless", IDS[0]).out == f"accepted {IDS[0]}\n"
    assert run("bless", "--format", "json").json == {"blessed": []}
    assert run("status").code == 0
    assert run("bless", "20990101000000_none").code == 1


@on_every_lasting_database
def test_other_commands_say_what_is_missing_where_migrating_is_switched_off(database_url: str) -> None:
    done = diglot("user", "list", "--database-url", database_url, env={"DB_AUTO_MIGRATE": "false"})
    assert (done.code, done.out) == (1, "")
    assert "run 'diglot migrate up'" in done.err
    assert diglot("user", "list", "--database-url", database_url).code == 0


def make_trees(folder: str) -> None:
    for dialect in ("postgres", "sqlite"):
        Path(folder, dialect).mkdir(parents=True)


def test_new_writes_the_four_files_of_a_migration() -> None:
    make_trees("migrations")
    make_trees("elsewhere")
    done = diglot("migrate", "new", "add_task_priority", "--format", "json")
    assert done.code == 0
    files = [Path(file) for file in done.json["files"]]
    assert sorted((file.parent.name, "rollback" in file.name) for file in files) == [
        ("postgres", False),
        ("postgres", True),
        ("sqlite", False),
        ("sqlite", True),
    ]
    assert all(file.is_file() and file.is_relative_to("migrations") for file in files)
    other = diglot("migrate", "new", "add_task_priority", "--folder", "elsewhere")
    assert other.out.count("elsewhere/") == 4


@pytest.mark.parametrize("name", ["Add Priority", "x;drop", "../x", ""])
def test_new_refuses_a_name_that_is_none(name: str) -> None:
    make_trees("migrations")
    done = diglot("migrate", "new", name)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"diglot: {name!r} is not a valid name for a migration: ")
    assert not any(path.is_file() for path in Path("migrations").rglob("*"))


def test_new_says_where_it_looked_for_the_trees() -> None:
    done = diglot("migrate", "new", "x")
    assert (done.code, done.err) == (2, "diglot: there is no folder migrations/postgres with migrations\n")
