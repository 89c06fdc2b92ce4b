"""``diglot drift``: what it prints, and its exit codes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from diglot.statestore.project import TREES
from diglot.stores.sqlite.library import library
from tests.cli.running import diglot

ONLY_LEFT = ["only", "on", "the", "left:", "int"]
ALLOW = '[[allow]]\nkind = "column"\ntable = "t"\nname = "b"\nreason = "the next release drops it"\n'


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def database(name: str, text: str) -> str:
    connection = library().connect(name)
    connection.executescript(text)
    connection.close()
    return name


@pytest.fixture
def two() -> tuple[str, str]:
    return database("one.db", "create table t (a int, b int);"), database("two.db", "create table t (a int);")


def test_the_json_of_a_difference(two: tuple[str, str]) -> None:
    done = diglot("drift", *two, "--format", "json")
    assert done.code == 1
    assert list(done.json) == ["left", "right", "differences", "allowed", "notes"]
    assert done.json["left"].startswith("one.db (SQLite ")
    assert done.json["right"].startswith("two.db (SQLite ")
    assert done.json["differences"] == [
        {
            "kind": "column",
            "table": "t",
            "name": "b",
            "left": "int",
            "right": None,
            "message": "only on the left: int",
        }
    ]
    assert done.json["allowed"] == []


def test_the_table_of_a_difference(two: tuple[str, str]) -> None:
    done = diglot("drift", *two)
    assert done.code == 1
    lines = [line.split() for line in done.out.splitlines()]
    assert lines == [["KIND", "TABLE", "NAME", "DIFFERENCE"], ["column", "t", "b", *ONLY_LEFT]]
    assert "1 difference between one.db" in done.err


def test_no_difference(two: tuple[str, str]) -> None:
    done = diglot("drift", two[0], two[0])
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith("no differences between one.db")


def test_an_accepted_difference_comes_with_its_reason(two: tuple[str, str]) -> None:
    Path("drift.toml").write_text(ALLOW)
    done = diglot("drift", *two, "--format", "json")
    assert done.code == 0
    assert done.json["differences"] == []
    (allowed,) = done.json["allowed"]
    assert (allowed["name"], allowed["reason"], allowed["until"]) == ("b", "the next release drops it", None)
    assert "the next release drops it" in diglot("drift", *two).err


def test_an_expired_and_a_needless_entry_are_findings(two: tuple[str, str]) -> None:
    file = Path("accepted.toml")
    file.write_text(f"{ALLOW}until = 2001-01-01\n")
    done = diglot("drift", *two, "--allow", str(file), "--format", "json")
    assert done.code == 1
    assert "2001-01-01" in done.json["differences"][0]["message"]
    file.write_text(ALLOW.replace('"b"', '"c"'))
    done = diglot("drift", *two, "--allow", str(file), "--format", "json")
    assert [each["name"] for each in done.json["differences"]] == ["b", "c"]
    assert diglot("drift", two[0], two[0], "--allow", str(file)).code == 1


def test_names_on_request() -> None:
    one = database("one.db", "create table t (a int); create index one on t (a);")
    two = database("two.db", "create table t (a int); create index two on t (a);")
    assert diglot("drift", one, two).code == 0
    done = diglot("drift", one, two, "--names", "--format", "json")
    assert (done.code, done.json["differences"][0]["kind"]) == (1, "index")


def test_a_database_that_can_not_be_reached(two: tuple[str, str]) -> None:
    done = diglot("drift", two[0], "postgresql://ada:hidden@127.0.0.1:1/app")
    assert done.code == 3
    assert "hidden" not in done.err
    assert diglot("drift", "none.db", two[0]).code == 3
    assert not Path("none.db").exists()


@pytest.mark.parametrize(
    "arguments",
    [["one.db"], ["one.db", "two.db", "--postgres-url", "postgresql:///x"], ["one.db", "two.db", "--migrations", "."]],
)
def test_wrong_usage(two: tuple[str, str], arguments: list[str]) -> None:
    assert diglot("drift", *arguments).code == 2


def test_nothing_on_both_sides_is_said() -> None:
    empty = database("empty.db", "vacuum;")
    done = diglot("drift", empty, empty)
    assert done.code == 0
    assert "neither side has a table" in done.err


def test_our_own_trees(postgres_url: str) -> None:
    done = diglot("drift", "--postgres-url", postgres_url, "--names", "--format", "json")
    assert (done.code, done.json["differences"], done.json["allowed"]) == (0, [], [])
    assert "migrations/postgres (PostgreSQL" in done.json["left"]
    assert "migrations/sqlite (SQLite" in done.json["right"]


def test_a_changed_copy_of_our_trees(postgres_url: str, tmp_path: Path) -> None:
    trees = tmp_path / "migrations"
    shutil.copytree(str(TREES.migrations), trees)
    file = trees / "sqlite" / "20250815090000_index_lists.sql"
    file.write_text(file.read_text().replace("on users (created_at desc, id desc)", "on users (created_at, id desc)"))
    done = diglot("drift", "--migrations", str(trees), "--postgres-url", postgres_url, "--format", "json")
    assert done.code == 1
    assert [(each["kind"], each["table"], each["name"]) for each in done.json["differences"]] == [
        ("index", "users", "ix_users_created_at")
    ]


def test_the_trees_of_diglot_toml(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGLOT_CHECK_POSTGRES_URL", postgres_url)
    for dialect, columns in (("postgres", "a int, b int"), ("sqlite", "a int")):
        (tmp_path / "db" / dialect).mkdir(parents=True)
        (tmp_path / "db" / dialect / "1_t.sql").write_text(f"create table t ({columns});")
    Path("diglot.toml").write_text('[check]\nmigrations = "db"\nallowed = "accepted.toml"\n')
    Path("accepted.toml").write_text(ALLOW)
    done = diglot("drift", "--format", "json")
    assert (done.code, done.json["differences"]) == (0, [])
    assert [each["name"] for each in done.json["allowed"]] == ["b"]
    assert (
        diglot("drift", database("one.db", "create table t (a int, b int);"), database("two.db", "vacuum;")).code == 1
    )


def test_a_tree_that_can_not_be_applied(postgres_url: str, tmp_path: Path) -> None:
    for dialect in ("postgres", "sqlite"):
        (tmp_path / "migrations" / dialect).mkdir(parents=True)
        (tmp_path / "migrations" / dialect / "1_t.sql").write_text("create tabel t (a int);")
    done = diglot("drift", "--migrations", "migrations", "--postgres-url", postgres_url)
    assert done.code == 2
    assert "1_t.sql" in done.err
    shutil.rmtree(tmp_path / "migrations" / "sqlite")
    assert diglot("drift", "--migrations", "migrations", "--postgres-url", postgres_url).code == 2
