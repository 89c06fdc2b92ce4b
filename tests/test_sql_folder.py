"""No SQL file is skipped in silence: each is read, or named as one that nothing reads, by every command alike."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest

from diglot.check.headers import check_headers
from diglot.check.migrations import check_checksums, check_migrations, write_checksums
from diglot.errors import ConfigurationError, DiglotError, MigrationTreeError, QueryFileError
from diglot.generate.trees import read_trees
from diglot.migrate import MigrationTree
from diglot.migrate.trial import apply_all
from diglot.project import Project
from diglot.sql_folder import beside_dialects, read_folder
from diglot.stores import open_store
from diglot.stores.settings import SQLiteSettings
from tests.cli.running import diglot

QUERY = "-- name: one()$\n-- returns: int\n-- One.\nselect 1 as one;\n"
UNCLAIMED = {
    "capital ending": "sqlite/b.SQL",
    "mixed ending": "sqlite/b.Sql",
    "another ending": "sqlite/b.psql",
    "another database's ending": "sqlite/b.pgsql",
    "set aside": "sqlite/b.sql.bak",
    "template": "sqlite/b.sql.j2",
    "DDL": "sqlite/b.ddl",
    "sub-folder": "sqlite/2026/b.sql",
    "sub-folder, capital ending": "sqlite/2026/b.SQL",
    "nested sub-folders": "sqlite/2026/01/b.sql",
    "hidden": "sqlite/._b.sql",
    "beside the dialects": "b.sql",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """One query file, and one migration, of each dialect."""
    for dialect in ("postgres", "sqlite"):
        for folder, file, text in (("q", "a.sql", QUERY), ("m", "1_a.sql", "create table a (x int);")):
            (tmp_path / folder / dialect).mkdir(parents=True)
            (tmp_path / folder / dialect / file).write_text(text)
    return tmp_path


def add(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("drop table a;")
    return file


def loaded(tree: Path) -> object:
    return Project(queries=tree / "q").load("sqlite")


def applied(tree: Path) -> None:
    with open_store(SQLiteSettings(path=":memory:")) as store:
        apply_all(store, MigrationTree.scan(tree / "m" / "sqlite", "sqlite"))


REFUSES: dict[str, tuple[str, Callable[[Path], object], type[DiglotError]]] = {
    "queries are loaded": ("q", loaded, QueryFileError),
    "types are generated": ("q", lambda tree: read_trees(tree / "q"), QueryFileError),
    "migrations are read": ("m", lambda tree: MigrationTree.read(tree / "m", "sqlite"), MigrationTreeError),
    "migrations are tried": ("m", applied, MigrationTreeError),
}


@pytest.mark.parametrize("who", REFUSES)
@pytest.mark.parametrize("file", UNCLAIMED.values(), ids=UNCLAIMED.keys())
def test_a_file_that_nothing_reads_is_refused_by_name(who: str, file: str, tree: Path) -> None:
    folder, how, error = REFUSES[who]
    how(tree)
    added = add(tree / folder / file)
    with pytest.raises(error, match="nothing reads it") as raised:
        how(tree)
    assert str(added) in str(raised.value)


@pytest.mark.parametrize("file", UNCLAIMED.values(), ids=UNCLAIMED.keys())
def test_the_check_finds_it_and_goes_on(file: str, tree: Path) -> None:
    project = Project(queries=tree / "q", migrations=tree / "m")
    assert check_headers(project) == []
    added = [str(add(tree / folder / file)) for folder in ("q", "m")]
    assert [found.path for found in check_headers(project)] == added[:1]
    with open_store(SQLiteSettings(path=":memory:")) as store:
        found = check_migrations(project.replace(dialects=("sqlite",)), None, store)
    assert [each.path for each in found if "nothing reads it" in each.message] == added[1:]


@pytest.mark.parametrize(
    "file",
    ["README.md", ".b.sql.swp", "b.sql~", "#b.sql#", "data.csv", "app.sqlite3", "app.sqlite", "notes/README.md",
     ".git/b.sql", "__pycache__/b.cpython-311.pyc", "mysql.md"],
)  # fmt: skip
def test_what_is_no_sql_is_no_concern(file: str, tree: Path) -> None:
    add(tree / "q" / "sqlite" / file)
    assert read_folder(tree / "q" / "sqlite").unclaimed == ()


def test_another_folder_beside_those_of_the_dialects_is_no_part_of_the_tree(tree: Path) -> None:
    add(tree / "q" / "mysql" / "b.sql")
    assert beside_dialects(tree / "q") == ()


def test_the_files_are_in_the_order_of_their_names(tree: Path) -> None:
    for name in ("c.sql", "b.sql"):
        add(tree / "q" / "sqlite" / name)
    assert list(read_folder(tree / "q" / "sqlite").files) == ["a.sql", "b.sql", "c.sql"]


def test_a_link_to_nothing_is_named(tree: Path) -> None:
    (tree / "q" / "sqlite" / "b.sql").symlink_to(tree / "gone.sql")
    with pytest.raises(QueryFileError, match=r"b\.sql:1:1: nothing reads it: it is not a file"):
        loaded(tree)


def test_links_that_lead_in_a_circle_end(tree: Path) -> None:
    below = tree / "q" / "sqlite" / "below"
    below.mkdir()
    (below / "up").symlink_to(below)
    add(below / "b.sql")
    assert len(read_folder(tree / "q" / "sqlite").unclaimed) == 1


def test_a_folder_that_cannot_be_read_is_an_error(tree: Path) -> None:
    with pytest.raises(ConfigurationError, match="can't be read: No such file or directory"):
        read_folder(tree / "none")


def test_the_state_stores_own_trees_in_the_wheel_have_none() -> None:
    for package in ("diglot.statestore.sql", "diglot.statestore.migrations"):
        for dialect in ("postgres", "sqlite"):
            assert read_folder(resources.files(package) / dialect).unclaimed == ()


def test_checksums_are_those_of_the_files_that_are_read(tree: Path) -> None:
    project = Project(migrations=tree / "m")
    add(tree / "m" / "sqlite" / ".b.sql")
    write_checksums(project)
    assert "b.sql" not in (tree / "m" / "checksums.sha256").read_text()
    assert list(check_checksums(project)) == []


COMMANDS = {
    "check": (("check", "--only", "headers", "--only", "migrations", "--dialect", "sqlite"), 1),
    "check drift": (("check", "--only", "prepare", "--dialect", "sqlite"), 1),
    "migrate": (("migrate", "up"), 2),
    "status": (("migrate", "status"), 2),
    "query": (("query", "list"), 2),
}


@pytest.mark.sqlite
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_names_it(command: str, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words, code = COMMANDS[command]
    (tree / "diglot.toml").write_text(
        '[project]\nqueries = "q"\nmigrations = "m"\n[database]\nurl = "sqlite:///app.db"\n'
    )
    monkeypatch.chdir(tree)
    assert diglot(*words).code == 0
    for folder in ("q", "m"):
        add(tree / folder / "sqlite" / "2026" / "b.sql")
    result = diglot(*words)
    named = "m" if command in ("migrate", "status", "check drift") else "q"
    assert f"{named}/sqlite/2026/b.sql" in result.out + result.err
    assert result.code == code
