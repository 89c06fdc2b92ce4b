"""A project is found by its file, opened on either database, and is what every command works on."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pytest

import diglot
from diglot.errors import ConfigurationError, NotMigrated
from diglot.project import CheckSettings, DatabaseSection, Project, Trees
from diglot.sql.session import Session, Statement
from diglot.statestore.project import StateStore
from tests.cli.running import diglot as command
from tests.databases import POSTGRES_PARAMS, SQLITE_PARAMS
from tests.generate.type_check import mypy

KEPT = SQLITE_PARAMS[:1] + POSTGRES_PARAMS
"""Databases that are still there when they are opened again."""

QUERIES = """\
-- name: add_book(id, title)!
-- param: id int
-- param: title text
-- Add a book.
insert into books (id, title) values (:id, :title);

-- name: book(id)^
-- param: id int
-- returns: Book
-- The book with this id.
select books.id, books.title
from books
where books.id = :id;
"""
MIGRATIONS = {
    "20260101000000_books.sql": "create table books (id integer not null primary key, title text not null);\n",
    "20260101000000_books.rollback.sql": "drop table books;\n",
    "20260102000000_authors.sql": "create table authors (id integer not null primary key);\n",
    "20260102000000_authors.rollback.sql": "drop table authors;\n",
}
MODELS = "import msgspec\n\n\nclass Book(msgspec.Struct, frozen=True):\n    id: int\n    title: str\n"
SETTINGS = '[project]\nqueries = "sql"\nmigrations = "steps"\nmodels = "library.rows"\ngenerated = "library/queries"\n'


class Books(Protocol):
    def add_book(self, session: Session, /, *, id: int, title: str) -> int: ...
    def book(self, session: Session, /, *, id: int) -> Any: ...


class Library(Protocol):
    @property
    def books(self) -> Books: ...


class Stale(Protocol):
    @property
    def books(self) -> Books: ...
    @property
    def loans(self) -> Books: ...


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a project, which is the current folder."""
    folder = tmp_path / "library"
    for dialect in ("postgres", "sqlite"):
        (folder / "sql" / dialect).mkdir(parents=True)
        (folder / "steps" / dialect).mkdir(parents=True)
        (folder / "sql" / dialect / "books.sql").write_text(QUERIES)
        for name, text in MIGRATIONS.items():
            (folder / "steps" / dialect / name).write_text(text)
    (folder / "library").mkdir()
    (folder / "library" / "__init__.py").touch()
    (folder / "library" / "rows.py").write_text(MODELS)
    (folder / "diglot.toml").write_text(SETTINGS)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    yield folder
    sys.path[:] = [place for place in sys.path if not place.startswith(str(tmp_path))]
    for name in [name for name in sys.modules if name.partition(".")[0] == "library"]:
        del sys.modules[name]


def tables(url: str) -> set[str]:
    """All tables but those of the bookkeeping."""
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            found = connection.execute("select name from sqlite_master where type = 'table'").fetchall()
        connection.close()
    else:
        with psycopg.connect(url) as server:
            found = server.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
    return {name for (name,) in found if not name.startswith(("_yoyo", "yoyo", "diglot_", "sqlite_"))}


# --- where it is -------------------------------------------------------------------------------------------


def test_it_is_found_in_the_folder_and_from_every_folder_below(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Project.find()
    monkeypatch.chdir(library / "sql" / "sqlite")
    below = Project.find()
    for found in (here, below):
        assert (found.queries, found.migrations) == (library / "sql", library / "steps")
        assert found.generated == library / "library" / "queries"
        assert [file.name for file in found.query_files("sqlite")] == ["books.sql"]
        models = found.row_models()
        assert models is not None
        assert "Book" in models


def test_pyproject_describes_it_too_and_diglot_toml_comes_first(library: Path) -> None:
    (library / "diglot.toml").rename(library / "other.toml")
    with pytest.raises(ConfigurationError, match=r"no diglot\.toml in this folder, or above it"):
        Project.find()
    tables = SETTINGS.replace("[project]", "[tool.diglot.project]")
    (library / "pyproject.toml").write_text(f'[project]\nname = "library"\n\n{tables}')
    assert Project.find().migrations == library / "steps"
    (library / "diglot.toml").write_text('[project]\nqueries = "sql"\n')
    assert Project.find().migrations is None
    assert Project.find("pyproject.toml").migrations == library / "steps"


def test_a_pyproject_without_our_table_is_no_project_however_odd_it_is(library: Path) -> None:
    (library / "sql" / "pyproject.toml").write_text("[tool.other\n= broken")
    os.chdir(library / "sql")
    assert Project.find().queries == library / "sql"
    with pytest.raises(ConfigurationError, match=r"pyproject.toml is not TOML"):
        Project.find("pyproject.toml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[project]\nqueries = "nowhere"', r"queries \(diglot.toml\): there is no folder nowhere"),
        ('[project]\nqueries = "sql"\nquery = "x"', r"project.query \(diglot.toml\): unknown key: use queries, migra"),
        ('[project]\nqueries = "sql"\n[chekc]', r"chekc \(diglot.toml\): unknown section: use \[project\], \[data"),
        ('[project]\nqueries = "sql"\n[database]\nport = 1', r"database.port \(diglot.toml\): unknown key: use url"),
        ('[project]\nqueries = "sql"\n[check]\nqueries = "sql"', r"queries \(diglot.toml\) is in \[project\] and in"),
        ("[project]\nqueries = 1", r"project.queries \(diglot.toml\): use text"),
    ],
)
def test_what_is_wrong_with_the_file_is_one_line(library: Path, text: str, message: str) -> None:
    (library / "diglot.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        Project.find()


# --- the database ------------------------------------------------------------------------------------------


def test_it_is_opened_migrated_and_asked_by_the_generated_protocol(library: Path, database_url: str) -> None:
    with diglot.Project.find().open(database_url) as db:
        queries = db.queries(Library)
        assert queries.books.add_book(db, id=1, title="é") == 1
        with pytest.raises(ZeroDivisionError), db.transaction() as tx:
            queries.books.add_book(tx, id=2, title="two")
            raise ZeroDivisionError
        with db.transaction() as tx:
            queries.books.add_book(tx, id=3, title="three")
        with db.snapshot() as snapshot:
            assert queries.books.book(snapshot, id=3).title == "three"
        assert queries.books.book(db, id=2) is None
        assert queries.books.book(db, id=1).title == "é"
        assert db.run(lambda tx: queries.books.add_book(tx, id=4, title="four")) == 1
        assert db.health().ok
        assert db.migrate() == []


@pytest.mark.parametrize("database_url", KEPT, indirect=True)
def test_migrations_wait_where_they_are_told_to(library: Path, database_url: str) -> None:
    with (library / "diglot.toml").open("a") as file:
        file.write("[database]\nauto_migrate = false\n")
    project = Project.find()
    with pytest.raises(NotMigrated, match="lacks the migration 20260101000000_books and 1 more"):
        project.open(database_url)
    with project.open(database_url, migrate=False) as db:
        assert db.migrate() == ["20260101000000_books", "20260102000000_authors"]
    with project.open(database_url) as db:
        assert db.queries(Library).books.book(db, id=1) is None


@pytest.mark.once
def test_a_type_checker_knows_every_query_without_a_cast(library: Path, session_folder: Path) -> None:
    assert command("generate").code == 0
    (library / "use.py").write_text(
        "import diglot\n"
        "from library.queries import Queries\n\n"
        "with diglot.Project.find().open() as db:\n"
        "    queries = db.queries(Queries)\n"
        "    with db.transaction() as tx:\n"
        "        added: int = queries.books.add_book(tx, id=1, title='one')\n"
        "    found = queries.books.book(db, id=1)\n"
        "    print(found.title if found else added)\n"
        "    queries.books.book(db, id='one')\n"
    )
    done = mypy(session_folder, library, "use.py")
    assert done.stdout.splitlines() == [
        'use.py:10: error: Argument "id" to "book" of "BooksQueries" has incompatible type "str"; expected "int"  '
        "[arg-type]"
    ]


def test_a_protocol_that_is_out_of_date_is_an_error_at_once(library: Path) -> None:
    with (
        Project.find().open("sqlite://:memory:") as db,
        pytest.raises(ConfigurationError, match="Stale has loans, and the project has no such query file"),
    ):
        db.queries(Stale)


def test_the_address_is_that_of_the_option_the_variable_or_the_file(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project.find()
    with pytest.raises(ConfigurationError, match="no database is named: use --database-url"):
        project.open()
    with (library / "diglot.toml").open("a") as file:
        file.write('[database]\nurl = "sqlite:///from_file.db"\n')
    monkeypatch.chdir(library / "sql")
    project = Project.find()
    assert project.configuration().database.path == str(library / "from_file.db")  # type: ignore[union-attr]
    monkeypatch.setenv("DATABASE_URL", "sqlite:///from_variable.db")
    assert project.configuration().database.path == "from_variable.db"  # type: ignore[union-attr]
    given = project.configuration({"--database-url": "sqlite:///from_option.db"})
    assert given.database.path == "from_option.db"  # type: ignore[union-attr]
    with pytest.raises(ConfigurationError, match="--db-path is an option of the state store"):
        project.configuration({"--db-path": "x.db"})
    monkeypatch.setenv("DATABASE_URL", "mysql://x")
    with pytest.raises(ConfigurationError, match=r"DATABASE_URL \(environment\): "):
        project.configuration()


# --- commands ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("database_url", KEPT, indirect=True)
def test_commands_act_on_the_project_and_on_nothing_else(library: Path, database_url: str) -> None:
    url = ("--database-url", database_url)
    done = command("migrate", "up", *url, "--format", "json")
    assert (done.code, done.json["applied"]) == (0, ["20260101000000_books", "20260102000000_authors"])
    assert tables(database_url) == {"books", "authors"}
    assert [one["state"] for one in command("migrate", "status", *url, "--format", "json").json["migrations"]] == [
        "applied",
        "applied",
    ]
    assert command("migrate", "down", *url, "--yes").code == 0
    assert tables(database_url) == {"books"}
    names = [query["name"] for query in command("query", "list", "--format", "json").json["queries"]]
    assert names == ["books.add_book", "books.book"]
    assert "sql/sqlite/books.sql:1" in command("query", "show", "add_book").out


def test_types_are_generated_where_the_project_wants_them(library: Path) -> None:
    missing = command("generate", "--check")
    assert (missing.code, "library/queries/books.py" in missing.out) == (1, True)
    assert command("generate").code == 0
    assert "class BooksQueries(Protocol)" in (library / "library" / "queries" / "books.py").read_text()
    assert command("generate", "--check").code == 0
    (library / "diglot.toml").write_text('[project]\nqueries = "sql"\nmodels = "library.rows"\n')
    unknown = command("generate", "--check")
    assert (unknown.code, unknown.out) == (2, "")
    assert "there is no folder for the generated types" in unknown.err


def test_the_check_is_that_of_the_project(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (library / "sql" / "sqlite" / "books.sql").write_text(QUERIES.replace("add_book", "put_book"))
    found = command("check", "--only", "headers", "--only", "parity", "--format", "json").json["findings"]
    assert {"sql/sqlite/books.sql", "sql/postgres/books.sql"} >= {finding["path"] for finding in found} != set()
    (library.parent / ".git").mkdir()
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    assert "file=library/sql/" in command("check", "--only", "parity", "--format", "github").out
    monkeypatch.setenv("GITHUB_WORKSPACE", str(library / "sql"))
    assert "file=sqlite/books.sql" in command("check", "--only", "parity", "--format", "github").out


def test_from_elsewhere_the_file_is_named(library: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for option in ("--project", "--config"):
        done = command("query", "list", option, "library/diglot.toml", "--format", "json")
        assert [query["name"] for query in done.json["queries"]] == ["books.add_book", "books.book"]


@pytest.mark.parametrize(
    "words",
    [
        ("quickstart",),
        ("init", "--admin", "a@b.cd"),
        ("user", "list"),
        ("key", "list", "a@b.cd"),
        ("auth", "check"),
        ("workflow", "list"),
        ("config", "show"),
        ("start",),
    ],
    ids=lambda words: words[0],
)
def test_commands_of_the_state_store_leave_the_database_of_another_project_alone(
    library: Path, words: tuple[str, ...]
) -> None:
    named = words[:2] if words[0] in ("user", "key", "auth", "workflow", "config") else words[:1]
    url = f"sqlite:///{library}/app.db"
    assert command("migrate", "up", "--database-url", url).code == 0
    done = command(*words, "--database-url", url, stdin="x\n")
    assert (done.code, done.out) == (2, "")
    assert f"'diglot {' '.join(named)}'" in done.err
    assert "is a command of the state store, and diglot.toml describes another project" in done.err
    assert tables(url) == {"books", "authors"}
    assert not (library / "data").exists()


def test_without_a_project_it_is_the_state_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "diglot.toml").write_text('[database]\npath = "x.db"\n')
    assert Project.find_or_none() is None
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    shown = {row["key"]: row["value"] for row in command("config", "show", "--format", "json").json["settings"]}
    assert shown["database.path"] == str(tmp_path / "x.db"), "paths are relative to the file"
    assert command("query", "list", "--format", "json").json["queries"][0]["name"].startswith("api_keys.")


def test_the_state_store_is_a_project_as_well() -> None:
    from diglot.statestore.project import TREES

    assert isinstance(TREES, StateStore)
    with TREES.open("sqlite://:memory:") as db:
        from diglot.statestore.queries import Queries

        assert db.queries(Queries).workflows is not None
        assert len(db.migrator().status()) == len(TREES.migration_tree("sqlite").ids)


# --- what the documentation says ---------------------------------------------------------------------------

PROJECT = Path(__file__).parent.parent
PAGE = (PROJECT / "docs" / "projects.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("database_url", KEPT, indirect=True)
def test_the_example_runs_as_the_page_says(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(
        PROJECT / "examples" / "own-project", tmp_path / "shop", ignore=shutil.ignore_patterns("__pycache__")
    )
    monkeypatch.chdir(tmp_path / "shop")
    monkeypatch.syspath_prepend(str(tmp_path / "shop"))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setattr(sys, "modules", {n: m for n, m in sys.modules.items() if n.partition(".")[0] != "shop"})
    (settings,) = blocks("toml")
    (tmp_path / "shop" / "diglot.toml").write_text(settings)
    assert Project.find().generated == tmp_path / "shop" / "shop" / "queries"
    assert command("generate", "--check").code == 0
    with Project.find().open(database_url) as db:
        insert = "insert into customers (id, email, created_at) values ('c1', 'a@b.cd', '2026-01-31 09:05:07.000000Z')"
        db.script(Statement("test.insert", insert, writes=True))
    (code,) = blocks("python")
    assert "sqlite:///shop.db" in code
    exec(compile(code.replace("sqlite:///shop.db", database_url), "projects.md", "exec"), {})  # noqa: S102
    assert capsys.readouterr().out == "0\n"


def test_every_key_is_on_the_page() -> None:
    rows = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")]
    named = {word for row in rows for word in re.findall(r"`(\w+\.\w+)`", row)}
    sections = {"project": Trees, "database": DatabaseSection, "check": CheckSettings}
    keys = {f"{section}.{key}" for section, kind in sections.items() for key in kind.__struct_fields__}
    assert named == keys - {"check.queries", "check.migrations", "check.models"}, "the names of trees as in 0.1"
