"""Up, down, status and bless, for each layout on each database: what is done is recorded, what is wrong is refused."""

from __future__ import annotations

import re
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
from diglot.sql.session import Statement
from diglot.stores.store import Store
from tests.migrate.dump import dump, tables
from tests.migrate.trees import LAYOUTS, NOW, WITH_DOWN, Tree, write_abc

with_down = pytest.mark.parametrize("layout", WITH_DOWN, indirect=True)
WAYS = [(layout, down) for layout in LAYOUTS for down in (False, True) if not down or layout in WITH_DOWN]


def change(tree: Tree, letter: str, *, down: bool = False) -> None:
    for dialect in ("postgres", "sqlite"):
        with (tree.folder / dialect / tree.file(letter, down=down)).open("a") as file:
            file.write("-- changed\n")


def log(store: Store) -> list[tuple[str, str]]:
    return [
        (str(id), str(operation))
        for id, operation in store.rows(
            Statement("test.log", "select migration_id, operation from _yoyo_log order by created_at_utc, id")
        )
    ]


def test_up_applies_what_is_pending_in_order(store: Store, tree: Tree) -> None:
    first = tree.migrator(store)
    assert tree.letters(first.up()) == "abc"
    assert tables(store) == ["a", "b", "c"]
    assert first.up() == []
    tree.write("d")
    assert tree.letters(tree.migrator(store).up()) == "d"


def test_up_stops_at_its_target(store: Store, tree: Tree) -> None:
    assert tree.letters(tree.migrator(store).up(target=tree.id("b"))) == "ab"
    assert tree.migrator(store).up(target=tree.id("a")) == []
    assert tree.states(store) == ["applied", "applied", "pending"]
    with pytest.raises(MigrationError, match="no migration '20260102'"):
        tree.migrator(store).up(target="20260102")


@with_down
def test_down_rolls_back_the_newest(store: Store, tree: Tree) -> None:
    tree.migrator(store).up()
    assert tree.letters(tree.migrator(store).down()) == "c"
    assert tables(store) == ["a", "b"]
    assert tree.letters(tree.migrator(store).down(10)) == "ba"
    assert (tables(store), tree.states(store)) == ([], ["pending"] * 3)
    assert store.rows(Statement("test.checksums", "select * from diglot_migration_checksum")) == []
    assert tree.migrator(store).down() == []


@pytest.mark.parametrize("layout", ["plain"], indirect=True)
@pytest.mark.parametrize("count", [1, 3])
def test_down_without_down_migrations_says_so_and_does_nothing(count: int, store: Store, tree: Tree) -> None:
    tree.migrator(store).up()
    before = dump(store)
    with pytest.raises(MigrationError, match=f"^{tree.id('c')} has no down migration, so it can't be rolled back$"):
        tree.migrator(store).down(count)
    assert (dump(store), tree.states(store)) == (before, ["applied"] * 3)
    assert sorted(log(store)) == [(id, "apply") for id in tree.ids("abc")]


@pytest.mark.parametrize("layout", ["yoyo", "up and down"], indirect=True)
def test_down_past_one_without_a_down_migration_does_nothing(store: Store, tree: Tree) -> None:
    for dialect in ("postgres", "sqlite"):
        (tree.folder / dialect / tree.file("b", down=True)).unlink()
    tree.migrator(store).up()
    with pytest.raises(MigrationError, match=f"^{re.escape(tree.id('b'))} has no down migration"):
        tree.migrator(store).down(2)
    assert (tables(store), tree.states(store)) == (["a", "b", "c"], ["applied"] * 3)
    assert tree.letters(tree.migrator(store).down()) == "c"


@pytest.mark.parametrize("count", [0, -1])
def test_down_wants_a_number_of_migrations(count: int, store: Store, tree: Tree) -> None:
    with pytest.raises(MigrationError, match="give 1 or more"):
        tree.migrator(store).down(count)


def test_a_dry_run_changes_nothing(store: Store, tree: Tree) -> None:
    assert tree.letters(tree.migrator(store).up(dry_run=True)) == "abc"
    assert tables(store) == []
    assert dump(store) == []
    tree.migrator(store).up()
    if tree.names.down is not None:
        assert tree.letters(tree.migrator(store).down(2, dry_run=True)) == "cb"
    assert tables(store) == ["a", "b", "c"]


def test_status_of_an_empty_database_makes_nothing(store: Store, tree: Tree) -> None:
    everything = Statement(
        "test.everything",
        "select count(*) from sqlite_schema" if store.dialect == "sqlite" else "select count(*) from pg_class",
    )
    before = store.rows(everything)
    found = tree.migrator(store).status()
    assert [(status.id, status.state, status.applied_at) for status in found] == [
        (tree.id("a"), "pending", None),
        (tree.id("b"), "pending", None),
        (tree.id("c"), "pending", None),
    ]
    assert tree.letters(tree.migrator(store).pending()) == "abc"
    assert store.rows(everything) == before


def test_status_tells_when_a_migration_was_applied(store: Store, tree: Tree) -> None:
    tree.migrator(store).up(target=tree.id("a"))
    assert tree.migrator(store).status()[0].applied_at == NOW


@with_down
def test_what_was_done_is_logged(store: Store, tree: Tree) -> None:
    tree.migrator(store).up(target=tree.id("a"))
    tree.migrator(store).down()
    assert sorted(log(store)) == [(tree.id("a"), "apply"), (tree.id("a"), "rollback")]


def test_a_user_without_a_name_may_migrate(store: Store, tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 1_987_654_321)
    tree.migrator(store).up(target=tree.id("a"))
    assert store.rows(Statement("test.users", "select username from _yoyo_log")) == [("unknown",)]


@pytest.mark.parametrize(("layout", "down"), WAYS, indirect=["layout"])
def test_an_edited_migration_is_refused_until_it_is_blessed(down: bool, store: Store, tree: Tree) -> None:
    tree.migrator(store).up()
    change(tree, "b", down=down)
    assert tree.states(store) == ["applied", "edited", "applied"]
    changed, name, b = tree.migrator(store), tree.file("b", down=down), re.escape(tree.id("b"))
    actions: list[Callable[[], object]] = [changed.up, changed.down, changed.pending]
    for action in actions:
        with pytest.raises(MigrationEdited, match=f"{re.escape(name)} was changed .*diglot migrate bless {b}'$"):
            action()
    assert tree.letters(changed.bless()) == "b"
    assert tree.states(store) == ["applied"] * 3
    assert changed.bless() == []
    assert changed.pending() == []
    if tree.names.down is not None:
        assert tree.letters(changed.down(3)) == "cba"


def test_other_line_ends_are_no_edit(store: Store, tree: Tree) -> None:
    tree.migrator(store).up()
    for path in (tree.folder / store.dialect).iterdir():
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert tree.states(store) == ["applied"] * 3


def test_bless_accepts_only_what_is_named(store: Store, tree: Tree) -> None:
    tree.migrator(store).up(target=tree.id("b"))
    change(tree, "a")
    change(tree, "b")
    assert tree.letters(tree.migrator(store).bless([tree.id("b")])) == "b"
    assert tree.states(store) == ["edited", "applied", "pending"]
    with pytest.raises(MigrationError, match=f"{re.escape(tree.id('c'))} is not applied"):
        tree.migrator(store).bless(tree.ids("ac"))
    with pytest.raises(MigrationError, match="no migration 'x'"):
        tree.migrator(store).bless(["x"])
    assert tree.states(store)[0] == "edited"


def test_bless_of_an_empty_database_accepts_nothing(store: Store, tree: Tree) -> None:
    assert tree.migrator(store).bless() == []


def test_an_unknown_migration_is_refused(store: Store, tree: Tree) -> None:
    tree.migrator(store).up()
    tree.remove("c")
    assert tree.states(store) == ["applied", "applied", "unknown"]
    older = tree.migrator(store)
    actions: list[Callable[[], object]] = [older.up, older.down, older.pending]
    for action in actions:
        with pytest.raises(MigrationUnknown, match=f"the database has {re.escape(tree.id('c'))}, which {tree.folder}"):
            action()
    assert tables(store) == ["a", "b", "c"]


def test_a_pending_migration_older_than_an_applied_one_is_refused(store: Store, tree: Tree) -> None:
    tree.migrator(store).up()
    tree.write("z")
    with pytest.raises(
        MigrationOutOfOrder, match=f"{re.escape(tree.file('z'))} is pending, but {re.escape(tree.id('c'))}"
    ):
        tree.migrator(store).up()
    if tree.names.down is not None:
        assert tree.letters(tree.migrator(store).down()) == "c", "the way out is open"
        assert tree.letters(tree.migrator(store).up()) == "zc"


def test_a_migration_that_fails_leaves_nothing(store: Store, tree: Tree) -> None:
    tree.write("b", up="create table b (id integer);\n\n-- twice\ncreate table b (id integer);\n")
    with pytest.raises(
        MigrationFailed, match=rf"{re.escape(tree.file('b'))}:4: statement 2: .*already exists; the database is as"
    ) as caught:
        tree.migrator(store).up()
    assert caught.value.__cause__ is not None
    assert (tables(store), tree.states(store)) == (["a"], ["applied", "pending", "pending"])
    assert log(store) == [(tree.id("a"), "apply")]
    tree.write("b")
    assert tree.letters(tree.migrator(store).up()) == "bc"


@pytest.mark.parametrize("table", ["_yoyo_migration", "_yoyo_log", "diglot_migration_checksum"])
def test_a_migration_that_can_not_be_recorded_leaves_nothing(table: str, store: Store, tree: Tree) -> None:
    tree.write("b", up=f"create table b (id integer);\ndrop table {table};\n")
    with pytest.raises(MigrationFailed, match=rf"{re.escape(tree.file('b'))}: .*{table}"):
        tree.migrator(store).up()
    assert (tables(store), tree.states(store)) == (["a"], ["applied", "pending", "pending"])


@with_down
def test_a_rollback_that_fails_leaves_everything(store: Store, tree: Tree) -> None:
    tree.write("c", down="drop table c;\ndrop table no_such_table;\n")
    tree.migrator(store).up()
    with pytest.raises(
        MigrationFailed, match=rf"{re.escape(tree.file('c', down=True))}:2: statement 2: .*no_such_table"
    ):
        tree.migrator(store).down()
    assert (tables(store), tree.states(store)) == (["a", "b", "c"], ["applied"] * 3)


def test_a_file_that_is_not_right_is_refused_before_anything_of_it_runs(store: Store, tree: Tree) -> None:
    tree.write("b", up="create table b (id integer);\ncommit;\n")
    with pytest.raises(MigrationError, match=rf"{re.escape(tree.file('b'))}:2: 'commit'"):
        tree.migrator(store).up()
    assert tables(store) == ["a"]


def test_rows_that_a_migration_asks_for_are_not_printed(
    store: Store, tree: Tree, capfd: pytest.CaptureFixture[str]
) -> None:
    tree.write("a", up="create table a (id integer not null);\nselect 1 as shown;\n")
    tree.migrator(store).up()
    assert capfd.readouterr() == ("", "")


def test_percent_signs_and_colons_are_nothing_special(store: Store, tree: Tree) -> None:
    tree.write("a", up="create table a (id text);\ninsert into a values ('%s :x %(y)s 100%');\n")
    tree.migrator(store).up(target=tree.id("a"))
    assert store.rows(Statement("test.a", "select id from a")) == [("%s :x %(y)s 100%",)]


@with_down
def test_a_migration_with_nothing_to_undo_is_rolled_back(store: Store, tree: Tree) -> None:
    tree.write("c", up="insert into a values (1);\n", down="-- rollback: nothing because a row too many does no harm\n")
    tree.migrator(store).up()
    assert tree.letters(tree.migrator(store).down()) == "c"
    assert tree.states(store) == ["applied", "applied", "pending"]


def test_a_migration_that_plain_yoyo_applied_is_refused_until_it_is_blessed(store: Store, tree: Tree) -> None:
    tree.migrator(store).up(target=tree.id("a"))
    store.count(Statement("test.forget", "delete from diglot_migration_checksum", writes=True))
    with pytest.raises(MigrationEdited, match=f"{re.escape(tree.file('a'))} was applied without a checksum"):
        tree.migrator(store).up()
    tree.migrator(store).bless([tree.id("a")])
    store.script(Statement("test.drop", "drop table diglot_migration_checksum", writes=True))
    assert tree.states(store) == ["edited", "pending", "pending"]
    tree.migrator(store).bless([tree.id("a")])
    assert tree.letters(tree.migrator(store).up()) == "bc"


def test_a_tree_of_the_other_dialect_is_refused(store: Store, tree: Tree) -> None:
    other = MigrationTree.read(tree.folder, "postgres" if store.dialect == "sqlite" else "sqlite")
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
