"""Whatever a settings file is, it ends in its tables or in one clear line, at once, and never shows a value."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from diglot.errors import ConfigurationError
from diglot.migrate.tree import MigrationTree
from diglot.toml_file import read_toml
from tests.cli.running import diglot

SETTINGS = [
    ("[check]\nqueries = 3", "check.queries (diglot.toml): use text"),
    ("[check]\nnope = 3", "check.nope (diglot.toml): unknown key: use allowed, postgres_url, only, "),
    ("[check]\nonly = 'x'", "check.only (diglot.toml): use a list"),
    ("[check]\nonly = [1]", "check.only[0] (diglot.toml): use text"),
    ("[check]\ndialect = 'mysql'", "check.dialect (diglot.toml): use 'postgres' or 'sqlite'"),
    ("check = 3", "check (diglot.toml): "),
]


@pytest.mark.parametrize(("content", "said"), SETTINGS)
def test_a_wrong_setting_is_named_with_what_is_allowed(
    content: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("diglot.toml").write_text(content)
    result = diglot("check", "--only", "headers")
    assert result.code == 2
    assert result.err.startswith(f"diglot: {said}")
    assert "`" not in result.err


BOM = b"\xef\xbb\xbf"

ODD = [
    ("deep arrays", "a = " + "[" * 100_000, "nested too deeply"),
    ("deep tables", "a = " + "{b = " * 20_000, "nested too deeply"),
    ("deep, and whole", "a = " + "[" * 5_000 + "]" * 5_000, "nested too deeply"),
    ("a key of many parts", ".".join(["a"] * 100_000) + " = 1", "a key has more than 20 parts (at line 1)"),
    ("the same in quotes", "\n" + '"a".' * 10_000 + "b = 1", "a key has more than 20 parts (at line 2)"),
    ("the same in a header", "[" + ".".join(["a"] * 10_000) + "]", "a key has more than 20 parts (at line 1)"),
    ("200,000 dotted keys", "\n".join(f"a.b{i} = 1" for i in range(200_000)), "larger than 256 KiB"),
    ("no equals sign", "hunter2", "expected '=' after a key in a key/value pair (at end of document)"),
    ("no quotes", "password = hunter2", "invalid value (at line 1, column 12)"),
    ("no end", "password = 'hunter2", 'expected "\'" (at end of document)'),
    ("twice", "[hunter2]\n[hunter2]", "the same table or key is declared twice (at line 2, column 9)"),
    ("a wrong escape", 'a = "\\q"', "in a string (at line 1, column 8)"),
    ("not UTF-8", b"a = '\xff'", "not UTF-8 (at line 1, column 6)"),
]


LARGE = [
    ("a long value", 'a = "' + "x" * 250_000 + '"'),
    ("a value of parts", 'a = "' + "x." * 100_000 + '"'),
    ("a long key", "a" * 250_000 + " = 1"),
    ("blanks", "a" + " " * 250_000 + "= 1"),
    ("quotes", "a = '''" + '"' * 250_000 + "'''"),
    ("backslashes", 'a = "' + "\\\\" * 100_000 + '"'),
    ("a comment of parts", "# " + "x." * 100_000 + "\na = 1"),
    ("keys of 20 parts", "".join(".".join("a" * 19) + f".b{i} = 1\n" for i in range(5_000))),
    ("tables", "".join(f"[{'.'.join('a' * 19)}.b{i}]\n" for i in range(5_000))),
    ("keys", "".join(f"a{i} = 1\n" for i in range(20_000))),
]


@pytest.mark.parametrize("content", [each[1] for each in LARGE], ids=[each[0] for each in LARGE])
def test_a_large_file_is_read_at_once(content: str, tmp_path: Path) -> None:
    file = tmp_path / "diglot.toml"
    file.write_text(content)
    started = time.process_time()
    assert read_toml(file)
    assert time.process_time() - started < 1


def test_what_never_ends_is_not_read_for_ever() -> None:
    with pytest.raises(ConfigurationError, match="/dev/zero is not a file of settings: it is larger than 256 KiB"):
        read_toml(Path("/dev/zero"))


@pytest.mark.parametrize(("content", "said"), [o[1:] for o in ODD], ids=[o[0] for o in ODD])
def test_an_odd_file_ends_in_one_line_without_a_value(content: str | bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "diglot.toml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    started = time.process_time()
    with pytest.raises(ConfigurationError) as error:
        read_toml(file)
    assert time.process_time() - started < 1
    assert said in str(error.value)
    assert str(error.value).startswith(str(file))
    assert "\n" not in str(error.value)
    assert "hunter2" not in str(error.value)


def _diglot_toml(folder: Path) -> list[str]:
    (folder / "diglot.toml").write_bytes(b'\xef\xbb\xbf[database]\r\npath = "x.db"\r\n')
    return ["config", "show"]


def _knowledge(folder: Path) -> list[str]:
    (folder / "diglot.toml").write_bytes(b"\xef\xbb\xbf[knowledge]\r\nenabled = false\r\n")
    return ["config", "show"]


def _dotenv(folder: Path) -> list[str]:
    (folder / ".env").write_bytes(b"\xef\xbb\xbfDB_PATH=x.db\r\n")
    return ["config", "show"]


def _drift(folder: Path) -> list[str]:
    (folder / "drift.toml").write_bytes(
        b'\xef\xbb\xbf[[equivalent]]\r\npostgres = "interval"\r\nsqlite = "integer"\r\n'
    )
    for side in ("a", "b"):
        connection = sqlite3.connect(folder / f"{side}.db")
        connection.execute("create table t (id integer primary key)")
        connection.close()
    return ["drift", "a.db", "b.db"]


def _check(folder: Path) -> list[str]:
    queries = folder / "queries" / "sqlite"
    queries.mkdir(parents=True)
    text = "-- name: one()\r\n-- returns: int\r\n-- One.\r\nselect 1 as n;\r\n"
    (queries / "numbers.sql").write_bytes(b"\xef\xbb\xbf" + text.encode())
    (folder / "diglot.toml").write_bytes(b'\xef\xbb\xbf[check]\r\nqueries = "queries"\r\ndialect = "sqlite"\r\n')
    return ["check", "--only", "headers"]


def _tree(folder: Path, mark: bytes = BOM) -> list[str]:
    """The trees of a project in which an editor has added a mark to every file."""
    for dialect in ("postgres", "sqlite"):
        for name, text in {
            "queries/numbers.sql": "-- name: one()^\n-- returns: int\n-- One.\nselect 1 as n;\n",
            "migrations/20250101000000_a.sql": "create table a (id integer primary key);\n",
            "migrations/20250101000000_a.rollback.sql": "drop table a;\n",
        }.items():
            kind, _, file = name.partition("/")
            place = folder / kind / dialect
            place.mkdir(parents=True, exist_ok=True)
            (place / file).write_bytes(mark + text.encode())
    return ["--queries", "queries", "--migrations", "migrations"]


def _catalogue_of_queries(folder: Path) -> list[str]:
    return ["generate", *_tree(folder)[:2], "--out", "typed"]


def _trace(folder: Path) -> list[str]:
    from importlib import resources

    trace = (resources.files("diglot.statestore.trace") / "own-test-run.json").read_bytes()
    (folder / "trace.json").write_bytes(BOM + trace)
    return ["--db-path", "x.db", "workflow", "replay", "trace.json"]


def test_a_mark_in_a_migration_is_neither_sent_nor_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _tree(tmp_path, b"")
    tree = MigrationTree.read(tmp_path / "migrations", "sqlite")
    checked = ["check", "--migrations", "migrations"]
    assert diglot(*checked, "--write-checksums").code == 0
    _tree(tmp_path)
    (checksums,) = (tmp_path / "migrations").glob("*.sha256")
    checksums.write_bytes(BOM + checksums.read_bytes())
    assert MigrationTree.read(tmp_path / "migrations", "sqlite") == tree
    result = diglot(*checked, "--only", "migrations")
    assert (result.code, result.err) == (0, ""), result.out


@pytest.mark.parametrize("written", [_diglot_toml, _knowledge, _dotenv, _drift, _check, _catalogue_of_queries, _trace])
def test_a_byte_order_mark_is_taken_in_every_file(
    written: Callable[[Path], list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = diglot(*written(tmp_path))
    assert (result.code, result.err.count("Traceback")) == (0, 0), result.err
