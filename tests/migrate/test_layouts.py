"""Every layout is read in its order, and run with the same safety."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from diglot.errors import (
    MigrationEdited,
    MigrationError,
    MigrationFailed,
    MigrationOutOfOrder,
    MigrationTreeError,
    MigrationUnknown,
)
from diglot.migrate import MigrationTree, new_migration
from diglot.migrate.layouts import Layout, Plain, Timestamped, UpDown, Yoyo
from diglot.stores.session import DIALECTS, Statement, Store
from tests.migrate.trees import migrator

NOW = datetime(2026, 1, 31, 9, 5, 7, tzinfo=UTC)
LAYOUTS: dict[str, tuple[type[Layout], list[str], str, str | None]] = {
    "own": (Timestamped, ["20260101000000_a", "20260102000000_b", "20260110000000_c"], ".sql", ".rollback.sql"),
    "yoyo": (Yoyo, ["0001.a", "0002.b", "0010.c"], ".sql", ".rollback.sql"),
    "up and down": (UpDown, ["1_a", "2_b", "10_c"], ".up.sql", ".down.sql"),
    "plain": (Plain, ["0001_a", "0002_b", "0010_c"], ".sql", None),
}
"""The class, three ids in their order, and what follows them in the names of files."""


def files(folder: Path, **texts: str) -> Path:
    """``1_a__up`` is the file 1_a.up.sql, in both dialects."""
    for dialect in DIALECTS:
        (folder / dialect).mkdir(exist_ok=True)
        for name, text in texts.items():
            (folder / dialect / f"{name.replace('__', '.')}.sql").write_text(text)
    return folder


@pytest.fixture(params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def tree(layout: str, tmp_path: Path) -> Path:
    """Three migrations that make the tables a, b and c."""
    folder = tmp_path / "tree"
    folder.mkdir()
    for id in LAYOUTS[layout][1]:
        write(folder, layout, id, f"create table {id[-1]} (id integer not null);\n", f"drop table {id[-1]};\n")
    return folder


def write(folder: Path, layout: str, id: str, up: str, down: str) -> None:
    _, _, up_suffix, down_suffix = LAYOUTS[layout]
    for dialect in DIALECTS:
        (folder / dialect).mkdir(exist_ok=True)
        (folder / dialect / f"{id}{up_suffix}").write_text(up)
        if down_suffix is not None:
            (folder / dialect / f"{id}{down_suffix}").write_text(down)


def tables(store: Store) -> list[str]:
    text = {
        "sqlite": "select name from sqlite_schema where type = 'table' and length(name) = 1 order by name",
        "postgres": "select tablename::text from pg_tables where length(tablename) = 1 order by tablename",
    }
    return [name for (name,) in store.rows(Statement("test.tables", text[store.dialect]))]


# --- reading -----------------------------------------------------------------------------------------------


def test_a_layout_is_recognised_and_ordered(layout: str, tree: Path) -> None:
    for dialect in DIALECTS:
        read = MigrationTree.read(tree, dialect)
        assert (type(read.layout), read.ids) == LAYOUTS[layout][:2]


ORDERS = [
    ("up and down, by number", {"10_b__up": "x", "10_b__down": "x", "9_a__up": "x", "9_a__down": "x"}, UpDown,
     ["9_a", "10_b"]),
    ("plain, by name", {"10_b": "x", "9_a": "x"}, Plain, ["10_b", "9_a"]),
    ("yoyo's, by name", {"b": "x", "b__rollback": "x", "a": "x", "a__rollback": "x"}, Yoyo, ["a", "b"]),
    ("yoyo's, by what they depend on", {"b": "x", "b__rollback": "x", "a": "-- depends: b", "a__rollback": "x"},
     Yoyo, ["b", "a"]),
    ("up files alone, by number", {"10_b__up": "x", "9_a__up": "x"}, UpDown, ["9_a", "10_b"]),
]  # fmt: skip


@pytest.mark.parametrize(("texts", "kind", "ids"), [o[1:] for o in ORDERS], ids=[o[0] for o in ORDERS])
def test_each_has_its_order(texts: dict[str, str], kind: type[Layout], ids: list[str], tmp_path: Path) -> None:
    scanned = MigrationTree.scan(files(tmp_path, **texts) / "sqlite", "sqlite")
    assert (type(scanned.layout), scanned.ids) == (kind, ids)


REFUSED = [
    ("none", {}, "has no migrations"),
    ("both ways", {"1_a": "-- migrate:up\ncreate table a (x int);"}, "1_a.sql:1: 'migrate:up'"),
    ("a circle", {"a": "-- depends: b", "b": "-- depends: a", "b__rollback": "x"}, "depends on itself"),
]


@pytest.mark.parametrize(("texts", "said"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_a_folder_that_can_not_be_read_is_refused(texts: dict[str, str], said: str, tmp_path: Path) -> None:
    with pytest.raises(MigrationTreeError, match=said):
        MigrationTree.scan(files(tmp_path, **texts) / "sqlite", "sqlite")


RULES = [
    ("an orphan", {"1_a__up": "x", "2_b__down": "x"}, "2_b.down.sql: down migration without an up migration"),
    ("a number twice", {"1_a__up": "x", "1_a__down": "x", "01_b__up": "x"}, "already has its number"),
    ("an unknown dependency", {"a": "-- depends: z", "a__rollback": "x"}, "no earlier migration"),
    ("a file of no migration", {"1_a__up": "x", "1_a__down": "x", "2_b": "x"},
     r"sqlite/2_b.sql: it would not be run: name it NAME.up.sql or NAME.down.sql, or move it to another folder"),
    ("no transaction", {"1_a": "-- transactional: false\nselect 1;"},
     "1_a.sql: on SQLite every migration is a transaction"),
    ("no transaction, yoyo's", {"a": "-- transactional: false\nselect 1;", "a__rollback": "x"},
     "a.sql: on SQLite every migration is a transaction"),
]  # fmt: skip


@pytest.mark.parametrize(("texts", "said"), [r[1:] for r in RULES], ids=[r[0] for r in RULES])
def test_what_can_not_be_run_is_refused(texts: dict[str, str], said: str, tmp_path: Path) -> None:
    with pytest.raises(MigrationTreeError, match=said):
        MigrationTree.read(files(tmp_path, **texts), "sqlite")


def test_a_file_in_capital_letters_is_refused_not_left_out(tmp_path: Path) -> None:
    tree = files(tmp_path, **{"1_a": "create table a (x int);"})
    (tree / "sqlite" / "2_b.SQL").write_text("create table b (x int);")
    with pytest.raises(MigrationTreeError, match=r"2_b\.SQL: it would not be run: name it NAME\.sql, or move it"):
        MigrationTree.read(tree, "sqlite")


def test_names_without_numbers_are_ordered_by_name(tmp_path: Path) -> None:
    texts = {"b__up": "x", "b__down": "x", "a__up": "x", "a__down": "x"}
    assert MigrationTree.read(files(tmp_path, **texts), "sqlite").ids == ["a", "b"]


TRANSACTIONS = [
    ("plain", "create table a (x int);", True),
    ("an index", "create index concurrently i on a (x);", False),
    ("a unique index", "create unique index concurrently if not exists i on a (x);", False),
    ("an index dropped", "drop index concurrently if exists i;", False),
    ("an index made again", "reindex (verbose) index concurrently i;", False),
    ("a partition", "alter table a detach partition b concurrently;", False),
    ("a view", "refresh materialized view concurrently v;", True),  # PostgreSQL allows it in a transaction
    ("a comment", "-- not concurrently: the table is small\ncreate table a (x int);", True),
    ("a block comment", "create table a (x int); /* concurrently */", True),
    ("a string", "insert into a values ('concurrently');", True),
    ("a body", "do $$ begin raise notice 'concurrently'; end $$;", True),
    ("said", "-- transactional: false\nvacuum a;", False),
]


@pytest.mark.parametrize(("text", "transactional"), [t[1:] for t in TRANSACTIONS], ids=[t[0] for t in TRANSACTIONS])
@pytest.mark.parametrize("name", ["1_a", "1_a__up"])
def test_only_a_statement_that_refuses_a_transaction_is_run_without_one(
    text: str, transactional: bool, name: str, tmp_path: Path
) -> None:
    (migration,) = MigrationTree.scan(files(tmp_path, **{name: text}) / "postgres", "postgres")
    assert migration.transactional is transactional


def test_a_migration_in_python_is_refused_not_left_out(tmp_path: Path) -> None:
    tree = files(tmp_path, **{"1_a": "create table a (x int);"})
    (tree / "sqlite" / "__init__.py").touch()
    assert isinstance(MigrationTree.scan(tree / "sqlite", "sqlite").layout, Plain)
    (tree / "sqlite" / "2_b.py").touch()
    with pytest.raises(MigrationTreeError, match=r"2_b\.py:1: a migration in Python is not run"):
        MigrationTree.scan(tree / "sqlite", "sqlite")


# --- running -----------------------------------------------------------------------------------------------


def test_up_status_and_down(layout: str, tree: Path, store: Store) -> None:
    _, ids, _, down = LAYOUTS[layout]
    assert [one.state for one in migrator(store, tree).status()] == ["pending"] * 3
    assert [migration.id for migration in migrator(store, tree).up(target=ids[1])] == ids[:2]
    assert tables(store) == ["a", "b"]
    assert [migration.id for migration in migrator(store, tree).up()] == ids[2:]
    assert migrator(store, tree).up() == []
    assert [(one.id, one.state) for one in migrator(store, tree).status()] == [(id, "applied") for id in ids]
    if down is None:
        with pytest.raises(MigrationError, match=f"{ids[2]} has no down migration"):
            migrator(store, tree).down(2)
        assert tables(store) == ["a", "b", "c"]
        return
    assert [migration.id for migration in migrator(store, tree).down(2)] == [ids[2], ids[1]]
    assert tables(store) == ["a"]
    assert [migration.id for migration in migrator(store, tree).up()] == ids[1:]


def test_a_statement_that_fails_leaves_nothing_of_its_migration(layout: str, tree: Path, store: Store) -> None:
    ids = LAYOUTS[layout][1]
    write(tree, layout, ids[1], "create table b (id integer);\ncreate table x (id integer);\ninsert into y values (1);",
          "drop table b;")  # fmt: skip
    with pytest.raises(MigrationFailed, match=r":3: statement 3: .*y.*the database is as it was before"):
        migrator(store, tree).up()
    assert tables(store) == ["a"]
    assert [one.state for one in migrator(store, tree).status()] == ["applied", "pending", "pending"]


def test_an_edited_file_is_refused_until_it_is_blessed(layout: str, tree: Path, store: Store) -> None:
    ids = LAYOUTS[layout][1]
    migrator(store, tree).up()
    write(tree, layout, ids[0], "create table a (id bigint);", "drop table a;\n")
    with pytest.raises(MigrationEdited, match="was changed after it was applied"):
        migrator(store, tree).pending()
    assert [migration.id for migration in migrator(store, tree).bless()] == [ids[0]]
    assert migrator(store, tree).pending() == []


def test_one_that_comes_late_and_one_that_is_gone_are_refused(layout: str, tree: Path, store: Store) -> None:
    ids = LAYOUTS[layout][1]
    kept = {file: file.read_text() for dialect in DIALECTS for file in (tree / dialect).glob(f"{ids[1]}*")}
    for file in kept:
        file.unlink()
    migrator(store, tree).up()
    for file, text in kept.items():
        file.write_text(text)
    with pytest.raises(MigrationOutOfOrder, match=f"{ids[1]}.* is pending, yet {ids[2]}, which is newer"):
        migrator(store, tree).up()
    for file in [file for dialect in DIALECTS for id in ids[1:] for file in (tree / dialect).glob(f"{id}*")]:
        file.unlink()
    with pytest.raises(MigrationUnknown, match=ids[2]):
        migrator(store, tree).up()


@pytest.mark.parametrize("layout", ["up and down", "plain"], indirect=True)
def test_a_transaction_around_the_whole_file_becomes_the_runners(layout: str, tree: Path, store: Store) -> None:
    ids = LAYOUTS[layout][1]
    write(tree, layout, ids[1], "begin;\ncreate table b (id integer);\ncommit;\n", "begin;\ndrop table b;\ncommit;\n")
    assert len(migrator(store, tree).up()) == 3
    assert tables(store) == ["a", "b", "c"]


@pytest.mark.parametrize("layout", ["up and down", "plain"], indirect=True)
def test_several_transactions_in_a_file_are_refused_before_anything_is_done(
    layout: str, tree: Path, store: Store
) -> None:
    ids = LAYOUTS[layout][1]
    write(
        tree,
        layout,
        ids[0],
        "begin;\ncreate table a (id int);\ncommit;\nbegin;\ninsert into a values (1);\ncommit;",
        "x",
    )
    with pytest.raises(MigrationTreeError, match=r":3: 'commit' inside of a migration: the runner begins and commits"):
        migrator(store, tree).up()
    assert tables(store) == []


def test_a_new_migration_has_the_layout_of_the_others(layout: str, tree: Path) -> None:
    _, ids, up, down = LAYOUTS[layout]
    made = new_migration(tree, "add_notes", NOW)
    id = {"own": "20260131090507_add_notes", "up and down": "11_add_notes"}.get(layout, "0011_add_notes")
    names = [f"{id}{up}", *([f"{id}{down}"] if down else [])]
    assert [path.relative_to(tree).as_posix() for path in made] == [f"{d}/{name}" for d in DIALECTS for name in names]
    assert MigrationTree.read(tree, "postgres").ids == [*ids, id] if layout != "own" else True
