"""Up, down, status and bless, on every database: what is done is recorded, what is not right is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from diglot.errors import (
    MigrationEdited,
    MigrationError,
    MigrationFailed,
    MigrationOutOfOrder,
    MigrationUnknown,
)
from diglot.migrate import MigrationTree, Migrator, sql
from diglot.stores.session import Statement, Store
from tests.migrate.dump import dump, tables
from tests.migrate.trees import NOW, A, B, C, migrator, remove, write, write_abc


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_abc(tmp_path / "tree")


def states(store: Store, folder: Path) -> list[str]:
    return [status.state for status in migrator(store, folder).status()]


def change(folder: Path, name: str) -> None:
    for dialect in ("postgres", "sqlite"):
        with (folder / dialect / name).open("a") as file:
            file.write("-- changed\n")


def log(store: Store) -> list[tuple[str, str]]:
    return [
        (str(id), str(operation))
        for id, operation in store.rows(
            Statement("test.log", "select migration_id, operation from _yoyo_log order by created_at_utc, id")
        )
    ]


def test_up_applies_what_is_pending_in_order(store: Store, folder: Path) -> None:
    first = migrator(store, folder)
    assert [migration.id for migration in first.up()] == [A, B, C]
    assert tables(store) == ["a", "b", "c"]
    assert first.up() == []
    write(folder, "20260104000000_d")
    assert [migration.id for migration in migrator(store, folder).up()] == ["20260104000000_d"]


def test_up_stops_at_its_target(store: Store, folder: Path) -> None:
    assert [migration.id for migration in migrator(store, folder).up(target=B)] == [A, B]
    assert migrator(store, folder).up(target=A) == []
    assert states(store, folder) == ["applied", "applied", "pending"]
    with pytest.raises(MigrationError, match="no migration '20260102'"):
        migrator(store, folder).up(target="20260102")


def test_down_rolls_back_the_newest(store: Store, folder: Path) -> None:
    migrator(store, folder).up()
    assert [migration.id for migration in migrator(store, folder).down()] == [C]
    assert tables(store) == ["a", "b"]
    assert [migration.id for migration in migrator(store, folder).down(10)] == [B, A]
    assert (tables(store), states(store, folder)) == ([], ["pending"] * 3)
    assert store.rows(Statement("test.checksums", "select * from diglot_migration_checksum")) == []
    assert migrator(store, folder).down() == []


@pytest.mark.parametrize("count", [0, -1])
def test_down_wants_a_number_of_migrations(count: int, store: Store, folder: Path) -> None:
    with pytest.raises(MigrationError, match="say 1 or more"):
        migrator(store, folder).down(count)


def test_a_dry_run_changes_nothing(store: Store, folder: Path) -> None:
    assert [migration.id for migration in migrator(store, folder).up(dry_run=True)] == [A, B, C]
    assert tables(store) == []
    assert dump(store) == []
    migrator(store, folder).up()
    assert [migration.id for migration in migrator(store, folder).down(2, dry_run=True)] == [C, B]
    assert tables(store) == ["a", "b", "c"]


def test_status_of_an_empty_database_makes_nothing(store: Store, folder: Path) -> None:
    everything = Statement(
        "test.everything",
        "select count(*) from sqlite_schema" if store.dialect == "sqlite" else "select count(*) from pg_class",
    )
    before = store.rows(everything)
    found = migrator(store, folder).status()
    assert [(status.id, status.state, status.applied_at) for status in found] == [
        (A, "pending", None),
        (B, "pending", None),
        (C, "pending", None),
    ]
    assert [migration.id for migration in migrator(store, folder).pending()] == [A, B, C]
    assert store.rows(everything) == before


def test_status_tells_when_a_migration_was_applied(store: Store, folder: Path) -> None:
    migrator(store, folder).up(target=A)
    assert migrator(store, folder).status()[0].applied_at == NOW


def test_what_was_done_is_logged(store: Store, folder: Path) -> None:
    migrator(store, folder).up(target=A)
    migrator(store, folder).down()
    assert sorted(log(store)) == [(A, "apply"), (A, "rollback")]


def test_a_user_without_a_name_may_migrate(store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 1_987_654_321)
    migrator(store, folder).up(target=A)
    assert store.rows(Statement("test.users", "select username from _yoyo_log")) == [("unknown",)]


@pytest.mark.parametrize("name", [f"{B}.sql", f"{B}.rollback.sql"])
def test_an_edited_migration_is_refused_until_it_is_blessed(name: str, store: Store, folder: Path) -> None:
    migrator(store, folder).up()
    change(folder, name)
    assert states(store, folder) == ["applied", "edited", "applied"]
    changed = migrator(store, folder)
    actions: list[Callable[[], object]] = [changed.up, changed.down, changed.pending]
    for action in actions:
        with pytest.raises(MigrationEdited, match=f"{name} was changed .*diglot migrate bless {B}"):
            action()
    assert [migration.id for migration in changed.bless()] == [B]
    assert states(store, folder) == ["applied"] * 3
    assert changed.bless() == []
    assert [migration.id for migration in changed.down(3)] == [C, B, A]


def test_other_line_ends_are_no_edit(store: Store, folder: Path) -> None:
    migrator(store, folder).up()
    for path in (folder / store.dialect).iterdir():
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert states(store, folder) == ["applied"] * 3


def test_bless_accepts_only_what_is_named(store: Store, folder: Path) -> None:
    migrator(store, folder).up(target=B)
    change(folder, f"{A}.sql")
    change(folder, f"{B}.sql")
    assert [migration.id for migration in migrator(store, folder).bless([B])] == [B]
    assert states(store, folder) == ["edited", "applied", "pending"]
    with pytest.raises(MigrationError, match=f"{C} is not applied"):
        migrator(store, folder).bless([A, C])
    with pytest.raises(MigrationError, match="no migration 'x'"):
        migrator(store, folder).bless(["x"])
    assert states(store, folder)[0] == "edited"


def test_bless_of_an_empty_database_accepts_nothing(store: Store, folder: Path) -> None:
    assert migrator(store, folder).bless() == []


def test_an_unknown_migration_is_refused(store: Store, folder: Path) -> None:
    migrator(store, folder).up()
    remove(folder, C)
    assert states(store, folder) == ["applied", "applied", "unknown"]
    older = migrator(store, folder)
    actions: list[Callable[[], object]] = [older.up, older.down, older.pending]
    for action in actions:
        with pytest.raises(MigrationUnknown, match=f"the database has {C}, which {folder}"):
            action()
    assert tables(store) == ["a", "b", "c"]


def test_a_pending_migration_older_than_an_applied_one_is_refused(store: Store, folder: Path) -> None:
    migrator(store, folder).up()
    write(folder, "20260102120000_z")
    with pytest.raises(MigrationOutOfOrder, match=f"20260102120000_z.sql is pending, yet {C}"):
        migrator(store, folder).up()
    assert [migration.id for migration in migrator(store, folder).down()] == [C], "the way out is open"
    assert [migration.id for migration in migrator(store, folder).up()] == ["20260102120000_z", C]


def test_a_migration_that_fails_leaves_nothing(store: Store, folder: Path) -> None:
    write(folder, B, up="create table b (id integer);\n\n-- twice\ncreate table b (id integer);\n")
    with pytest.raises(
        MigrationFailed, match=rf"{B}\.sql:4: statement 2: .*already exists; the database is as"
    ) as caught:
        migrator(store, folder).up()
    assert caught.value.__cause__ is not None
    assert (tables(store), states(store, folder)) == (["a"], ["applied", "pending", "pending"])
    assert log(store) == [(A, "apply")]
    write(folder, B)
    assert [migration.id for migration in migrator(store, folder).up()] == [B, C]


@pytest.mark.parametrize("table", ["_yoyo_migration", "_yoyo_log", "diglot_migration_checksum"])
def test_a_migration_that_can_not_be_recorded_leaves_nothing(table: str, store: Store, folder: Path) -> None:
    write(folder, B, up=f"create table b (id integer);\ndrop table {table};\n")
    with pytest.raises(MigrationFailed, match=rf"{B}\.sql: .*{table}"):
        migrator(store, folder).up()
    assert (tables(store), states(store, folder)) == (["a"], ["applied", "pending", "pending"])


def test_a_rollback_that_fails_leaves_everything(store: Store, folder: Path) -> None:
    write(folder, C, down="drop table c;\ndrop table no_such_table;\n")
    migrator(store, folder).up()
    with pytest.raises(MigrationFailed, match=rf"{C}\.rollback\.sql:2: statement 2: .*no_such_table"):
        migrator(store, folder).down()
    assert (tables(store), states(store, folder)) == (["a", "b", "c"], ["applied"] * 3)


def test_a_file_that_is_not_right_is_refused_before_anything_of_it_runs(store: Store, folder: Path) -> None:
    write(folder, B, up="create table b (id integer);\ncommit;\n")
    with pytest.raises(MigrationError, match=rf"{B}\.sql:2: 'commit'"):
        migrator(store, folder).up()
    assert tables(store) == ["a"]


def test_rows_that_a_migration_asks_for_are_not_printed(
    store: Store, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write(folder, A, up="create table a (id integer not null);\nselect 1 as shown;\n")
    migrator(store, folder).up()
    assert capfd.readouterr() == ("", "")


def test_percent_signs_and_colons_are_nothing_special(store: Store, folder: Path) -> None:
    write(folder, A, up="create table a (id text);\ninsert into a values ('%s :x %(y)s 100%');\n")
    migrator(store, folder).up(target=A)
    assert store.rows(Statement("test.a", "select id from a")) == [("%s :x %(y)s 100%",)]


def test_a_migration_with_nothing_to_undo_is_rolled_back(store: Store, folder: Path) -> None:
    write(
        folder, C, up="insert into a values (1);\n", down="-- rollback: nothing because a row too many does no harm\n"
    )
    migrator(store, folder).up()
    assert [migration.id for migration in migrator(store, folder).down()] == [C]
    assert states(store, folder) == ["applied", "applied", "pending"]


def test_a_migration_that_plain_yoyo_applied_is_refused_until_it_is_blessed(store: Store, folder: Path) -> None:
    migrator(store, folder).up(target=A)
    store.count(Statement("test.forget", "delete from diglot_migration_checksum", writes=True))
    with pytest.raises(MigrationEdited, match=f"{A}.sql was applied without a checksum"):
        migrator(store, folder).up()
    migrator(store, folder).bless([A])
    store.script(Statement("test.drop", "drop table diglot_migration_checksum", writes=True))
    assert states(store, folder) == ["edited", "pending", "pending"]
    migrator(store, folder).bless([A])
    assert [migration.id for migration in migrator(store, folder).up()] == [B, C]


def test_a_tree_of_the_other_dialect_is_refused(store: Store, folder: Path) -> None:
    other = MigrationTree.read(folder, "postgres" if store.dialect == "sqlite" else "sqlite")
    with pytest.raises(MigrationError, match=f"the database is {store.dialect}"):
        Migrator(store, other, timeout=1, clock=lambda: NOW)


def test_sql_is_what_would_run(tmp_path: Path) -> None:
    tree = MigrationTree.read(write_abc(tmp_path), "sqlite")
    a, b = tree.migrations[:2]
    assert sql([a, b]) == (
        f"-- {a.file}\ncreate table a (id integer not null);\n\n-- {b.file}\ncreate table b (id integer not null);\n"
    )
    assert sql([a], down=True) == f"-- {a.rollback_file}\ndrop table a;\n"
    assert sql([]) == ""
