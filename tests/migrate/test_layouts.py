"""Each layout is read in its order; what only some layouts have. What all have in common is in test_runner."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from diglot.errors import MigrationFailed, MigrationTreeError
from diglot.migrate import MigrationTree, new_migration
from diglot.migrate.layouts import Layout, Plain, UpDown, Yoyo
from diglot.sql.session import DIALECTS
from diglot.stores.store import Store
from tests.migrate.dump import tables
from tests.migrate.trees import Tree

NOW = datetime(2026, 1, 31, 9, 5, 7, tzinfo=UTC)


def files(folder: Path, **texts: str) -> Path:
    """``1_a__up`` is the file 1_a.up.sql, in both dialects."""
    for dialect in DIALECTS:
        (folder / dialect).mkdir(exist_ok=True)
        for name, text in texts.items():
            (folder / dialect / f"{name.replace('__', '.')}.sql").write_text(text)
    return folder


# --- reading -----------------------------------------------------------------------------------------------


def test_a_layout_is_recognised_and_ordered(tree: Tree) -> None:
    for dialect in DIALECTS:
        read = MigrationTree.read(tree.folder, dialect)
        assert (type(read.layout), read.ids) == (tree.names.kind, tree.ids("abc"))


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
    ("an unknown dependency", {"a": "-- depends: z", "a__rollback": "x"}, "not an earlier migration"),
    ("a file of no migration", {"1_a__up": "x", "1_a__down": "x", "2_b": "x"},
     r"sqlite/2_b.sql: it would not be run: name it NAME.up.sql or NAME.down.sql, or move it to another folder"),
    ("no transaction", {"1_a": "-- transactional: false\nselect 1;"},
     "1_a.sql: 'transactional: false' has no effect on SQLite: there every migration is a transaction"),
    ("no transaction, yoyo's", {"a": "-- transactional: false\nselect 1;", "a__rollback": "x"},
     "a.sql: 'transactional: false' has no effect on SQLite: there every migration is a transaction"),
]  # fmt: skip


@pytest.mark.parametrize(("texts", "said"), [r[1:] for r in RULES], ids=[r[0] for r in RULES])
def test_what_can_not_be_run_is_refused(texts: dict[str, str], said: str, tmp_path: Path) -> None:
    with pytest.raises(MigrationTreeError, match=said):
        MigrationTree.read(files(tmp_path, **texts), "sqlite")


def test_a_file_in_capital_letters_is_refused_not_left_out(tmp_path: Path) -> None:
    tree = files(tmp_path, **{"1_a": "create table a (x int);"})
    (tree / "sqlite" / "2_b.SQL").write_text("create table b (x int);")
    with pytest.raises(MigrationTreeError, match=r"2_b\.SQL: nothing reads it: its name does not end with \.sql"):
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
    with pytest.raises(MigrationTreeError, match=r"2_b\.py:1: migrations in Python are not supported"):
        MigrationTree.scan(tree / "sqlite", "sqlite")


# --- running -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["up and down", "plain"], indirect=True)
def test_a_transaction_around_the_whole_file_becomes_the_runners(tree: Tree, store: Store) -> None:
    tree.write("b", "begin;\ncreate table b (id integer);\ncommit;\n", "begin;\ndrop table b;\ncommit;\n")
    assert tree.letters(tree.migrator(store).up()) == "abc"
    assert tables(store) == ["a", "b", "c"]
    if tree.names.down is not None:
        assert tree.letters(tree.migrator(store).down(2)) == "cb"
        assert tables(store) == ["a"]


@pytest.mark.parametrize("layout", ["up and down", "plain"], indirect=True)
def test_a_file_with_a_transaction_of_its_own_that_fails_leaves_nothing(tree: Tree, store: Store) -> None:
    tree.write("b", "begin;\ncreate table b (id integer);\ninsert into nowhere values (1);\ncommit;\n")
    with pytest.raises(MigrationFailed, match=r":3: .*nowhere.*the database is as it was before"):
        tree.migrator(store).up()
    assert (tables(store), tree.states(store)) == (["a"], ["applied", "pending", "pending"])


@pytest.mark.parametrize("layout", ["up and down", "plain"], indirect=True)
def test_several_transactions_in_a_file_are_refused_before_anything_is_done(tree: Tree, store: Store) -> None:
    tree.write("a", "begin;\ncreate table a (id int);\ncommit;\nbegin;\ninsert into a values (1);\ncommit;")
    with pytest.raises(MigrationTreeError, match=r":3: 'commit' inside a migration: the runner begins and commits"):
        tree.migrator(store).up()
    assert tables(store) == []


@pytest.mark.parametrize("layout", ["up and down", "plain"], indirect=True)
def test_a_word_in_a_comment_takes_no_transaction_from_a_migration(tree: Tree, store: Store) -> None:
    tree.write("b", "-- not concurrently: it is small\ncreate table b (id integer);\ninsert into nowhere values (1);\n")
    with pytest.raises(MigrationFailed, match="the database is as it was before"):
        tree.migrator(store).up()
    assert (tables(store), tree.states(store)) == (["a"], ["applied", "pending", "pending"])


def test_a_new_migration_has_the_layout_of_the_others(tree: Tree) -> None:
    made = new_migration(tree.folder, "add_notes", NOW)
    id = {"own": "20260131090507_add_notes", "up and down": "11_add_notes"}.get(tree.layout, "0011_add_notes")
    names = [f"{id}{suffix}" for suffix in (tree.names.up, tree.names.down) if suffix]
    shown = [path.relative_to(tree.folder).as_posix() for path in made]
    assert shown == [f"{dialect}/{name}" for dialect in DIALECTS for name in names]
    if tree.layout != "own":  # its rules refuse files that are still empty
        assert MigrationTree.read(tree.folder, "postgres").ids == [*tree.ids("abc"), id]
