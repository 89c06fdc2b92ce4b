"""A database in memory is gone when a command ends: commands that would only seem to do something are refused."""

from __future__ import annotations

import pytest

from tests.cli.running import Result, diglot

pytestmark = pytest.mark.sqlite
SAID = "a database in memory is empty when this command starts and gone when it ends: name a file or a PostgreSQL"
FORMS = {
    "option": (["--db-path", ":memory:"], {}, "--db-path"),
    "short address": (["--database-url", ":memory:"], {}, "--database-url"),
    "address": (["--database-url", "sqlite:///:memory:"], {}, "--database-url"),
    "variable": ([], {"DB_PATH": ":memory:"}, "DB_PATH (environment)"),
}


def refused(done: Result, source: str) -> None:
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"diglot: {source}: {SAID}")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("form", FORMS)
def test_init_prints_no_key_of_a_database_that_is_gone(form: str) -> None:
    options, env, source = FORMS[form]
    refused(diglot("init", "--admin", "ada@example.org", *options, env=env), source)


@pytest.mark.parametrize(
    "command",
    [
        ["init"],
        ["quickstart"],
        ["user", "create", "ada@example.org"],
        ["user", "list"],
        ["user", "show", "ada@example.org"],
        ["user", "update", "ada@example.org", "--role", "user"],
        ["user", "delete", "ada@example.org"],
        ["key", "issue", "ada@example.org"],
        ["key", "list", "ada@example.org"],
        ["key", "revoke", "k"],
        ["key", "rotate", "k"],
        ["workflow", "list"],
        ["workflow", "show", "w"],
        ["workflow", "delete", "w"],
        ["migrate", "up"],
        ["migrate", "down"],
        ["migrate", "down", "--dry-run"],
        ["migrate", "bless"],
        ["start"],
    ],
    ids=" ".join,
)
def test_a_command_that_makes_no_sense_in_memory_is_refused(command: list[str]) -> None:
    refused(diglot(*command, "--db-path", ":memory:"), "--db-path")


def test_whose_key_it_is_can_not_be_found_in_memory() -> None:
    refused(diglot("auth", "check", "--db-path", ":memory:", stdin="dgl_x\n"), "--db-path")


def test_what_changes_nothing_or_ends_with_the_command_is_not_refused() -> None:
    assert diglot("config", "show", "--db-path", ":memory:").code == 0
    assert diglot("migrate", "up", "--dry-run", "--db-path", ":memory:").out.startswith("would apply 2025")
    assert diglot("migrate", "status", "--db-path", ":memory:").code == 0


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///"])
def test_an_address_without_a_path_is_no_database_in_memory(url: str) -> None:
    done = diglot("init", "--admin", "ada@example.org", "--database-url", url)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "diglot: --database-url: the SQLite address names no file: use sqlite:///data/app.db, or sqlite:///:memory: "
        "for a database in memory, which is gone when the process ends\n"
    )
