"""``diglot init``, ``user``, ``key`` and ``auth`` on real databases, as a person or a script uses them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from diglot import statestore
from diglot.statestore.repositories.key_format import is_well_formed
from tests.cli.running import COMMAND, TIMEOUT, Result, diglot, in_terminal, process, shows, terminal
from tests.databases import POSTGRES_PARAMS, SQLITE_PARAMS

on_every_lasting_database = pytest.mark.parametrize("database_url", SQLITE_PARAMS[:1] + POSTGRES_PARAMS, indirect=True)
KEEP = "Keep the key: it is shown only this once and stored nowhere.\n"
Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(migrated_url: str) -> Run:
    """The command on a migrated database, in this process."""
    return lambda *arguments, **more: diglot(*arguments, "--database-url", migrated_url, **more)


@pytest.fixture
def answer(run: Run) -> Callable[..., Any]:
    """The JSON of a command that succeeds and says nothing else."""

    def ask(*arguments: str) -> Any:
        done = run(*arguments, "--format", "json")
        assert done.code == 0, done.err
        return done.json

    return ask


# --- init --------------------------------------------------------------------------------------------------


@on_every_lasting_database
def test_init_makes_a_database_that_is_ready_and_says_where_it_is(database_url: str) -> None:
    first = diglot("--database-url", database_url, "init", "--format", "json")
    assert (first.code, first.err) == (0, "")
    assert len(first.json["migrated"]) >= 4
    second = diglot("--database-url", database_url, "init")
    assert second.code == 0
    with statestore.open(database_url, migrate=False) as db:
        assert second.out == f"database  {db.store.location}\nmigrated  0\n"
        assert first.json["database"] == db.store.location
        assert db.migrator().pending() == []


@on_every_lasting_database
def test_init_makes_the_first_admin_once_and_its_key_works(database_url: str) -> None:
    arguments = ["init", "--database-url", database_url, "--admin", " Ada@Example.org", "--key-name", "first"]
    first = diglot(*arguments)
    assert first.code == 0
    assert first.err == KEEP
    key = re.search(r"^key +(dgl_\S+)$", first.out, re.MULTILINE)
    assert key is not None
    assert "admin     ada@example.org\n" in first.out
    checked = diglot("auth", "check", "--database-url", database_url, "--format", "json", stdin=key[1])
    assert (checked.json["email"], checked.json["role"]) == ("ada@example.org", "admin")

    second = diglot(*arguments)
    assert second == (1, "", "diglot: an admin already exists: ask that admin for a key\n")


def test_init_makes_nothing_of_an_address_that_is_none(run: Run) -> None:
    done = run("init", "--admin", "ada")
    assert done.code == 2
    assert done.err == "diglot: email: 'ada' is not an e-mail address\n"
    assert run("user", "list").err == "no users\n"


def test_a_key_name_without_an_admin_is_a_usage_error(run: Run) -> None:
    assert run("init", "--key-name", "x").code == 2


def test_init_without_any_setting_makes_the_database_in_the_data_folder() -> None:
    assert diglot("init").code == 0
    assert Path("data/app.db").stat().st_mode & 0o777 == 0o600


# --- users -------------------------------------------------------------------------------------------------


def test_a_user_lives_from_create_to_delete(run: Run, answer: Callable[..., Any]) -> None:
    made = answer("user", "create", "Ada@Example.org")
    assert (made["email"], made["role"]) == ("ada@example.org", "user")
    assert answer("user", "show", "ADA@example.org") == made
    assert answer("user", "show", made["id"]) == made
    changed = answer("user", "update", "ada@example.org", "--email", "a@b", "--role", "admin")
    assert (changed["id"], changed["email"], changed["role"]) == (made["id"], "a@b", "admin")
    answer("user", "create", "other@b", "--role", "admin")
    assert run("user", "delete", "a@b", "--yes").out == "deleted a@b and all the user's keys\n"
    assert run("user", "show", "a@b") == (1, "", "diglot: no user 'a@b'\n")
    assert [user["email"] for user in answer("user", "list")["items"]] == ["other@b"]


def test_a_user_is_shown_to_people_with_all_there_is(run: Run) -> None:
    run("user", "create", "ada@example.org")
    lines = run("user", "show", "ada@example.org").out.splitlines()
    assert [line.split()[0] for line in lines] == ["id", "email", "role", "created", "updated"]
    assert lines[1] == "email    ada@example.org"


def test_what_the_rules_refuse_ends_with_1_and_changes_nothing(run: Run, answer: Callable[..., Any]) -> None:
    answer("user", "create", "ada@example.org", "--role", "admin")
    for arguments, said in [
        (["create", "ADA@example.org"], "a user with the e-mail address 'ada@example.org' already exists"),
        (["delete", "ada@example.org", "--yes"], "this is the last admin"),
        (["update", "ada@example.org", "--role", "user"], "this is the last admin"),
        (["show", "nobody"], "no user 'nobody'"),
        (["delete", "nobody@x"], "no user 'nobody@x'"),
    ]:
        done = run("user", *arguments)
        assert done.code == 1
        assert done.out == ""
        assert done.err.startswith(f"diglot: {said}")
    assert [user["role"] for user in answer("user", "list")["items"]] == ["admin"]


def test_an_update_needs_a_change(run: Run) -> None:
    done = run("user", "update", "ada@example.org")
    assert done.code == 2
    assert "use --email or --role" in done.err


def test_a_list_is_paged_and_says_how_to_go_on(run: Run, answer: Callable[..., Any]) -> None:
    emails = [answer("user", "create", f"{name}@x")["email"] for name in "abc"]
    first = run("user", "list", "--limit", "2")
    assert len(first.out.splitlines()) == 3
    assert first.out.split()[:4] == ["ID", "EMAIL", "ROLE", "CREATED"]
    assert first.err.startswith("there are more: --after ")
    cursor = first.err.split()[-1]
    rest = run("user", "list", "--after", cursor)
    assert rest.err == ""
    assert len(rest.out.splitlines()) == 2
    pages = answer("user", "list", "--limit", "2"), answer("user", "list", "--after", cursor)
    assert [user["email"] for page in pages for user in page["items"]] == emails[::-1]
    assert (pages[0]["next"], pages[1]["next"]) == (cursor, None)


def test_a_cursor_that_is_none_is_a_usage_error(run: Run) -> None:
    done = run("user", "list", "--after", "rubbish")
    assert done.code == 2
    assert done.out == ""


# --- keys --------------------------------------------------------------------------------------------------


def test_a_key_lives_from_issue_to_revoke(run: Run, answer: Callable[..., Any]) -> None:
    user = answer("user", "create", "ada@example.org")
    issued = run("key", "issue", "ada@example.org", "--name", "laptop", "--format", "json")
    assert issued.err == KEEP
    secret, key = issued.json["key"], issued.json["api_key"]
    assert is_well_formed(secret)
    assert (key["user_id"], key["name"], key["prefix"]) == (user["id"], "laptop", secret[:12])
    assert run("auth", "check", stdin=secret).code == 0

    rotated = run("key", "rotate", key["id"])
    assert rotated.err == KEEP
    new_secret = rotated.out.split()[1]
    assert is_well_formed(new_secret)
    assert run("auth", "check", stdin=secret) == (1, "", "diglot: the API key is not valid\n")
    assert run("auth", "check", stdin=new_secret).code == 0

    assert run("key", "revoke", key["id"]).out == f"revoked {key['id']}\n"
    assert run("auth", "check", stdin=new_secret).code == 1
    assert run("key", "revoke", key["id"]) == (1, "", f"diglot: no API key '{key['id']}'\n")
    assert run("key", "list", "ada@example.org").err == "no keys\n"


def test_a_list_of_keys_has_neither_the_secret_nor_its_hash(run: Run, answer: Callable[..., Any]) -> None:
    answer("user", "create", "ada@example.org")
    secret = run("key", "issue", "ada@example.org", "--format", "json").json["key"]
    (key,) = answer("key", "list", "ada@example.org")["items"]
    assert set(key) == {"id", "user_id", "name", "prefix", "created_at", "last_used", "expires_at"}
    shown = run("key", "list", "ada@example.org")
    assert secret[:12] in shown.out
    assert secret[12:] not in shown.out + shown.err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90d", timedelta(days=90)),
        ("12h", timedelta(hours=12)),
        ("2w", timedelta(weeks=2)),
        ("30m", timedelta(minutes=30)),
        ("45s", timedelta(seconds=45)),
        ("2090-01-31", datetime(2090, 1, 31, tzinfo=UTC)),
        ("2090-01-31T09:05:07.5+01:00", datetime(2090, 1, 31, 8, 5, 7, 500_000, tzinfo=UTC)),
    ],
)
@pytest.mark.sqlite
def test_a_key_ends_when_it_was_said(text: str, expected: timedelta | datetime) -> None:
    diglot("user", "create", "ada@x")
    before = datetime.now(UTC)
    issued = diglot("key", "issue", "ada@x", "--expires", text, "--format", "json").json
    ends = datetime.fromisoformat(issued["api_key"]["expires_at"])
    if isinstance(expected, datetime):
        assert ends == expected
    else:
        assert before + expected <= ends <= datetime.now(UTC) + expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("soon", "is not a time: use 90d"),
        ("0d", "is not a time"),
        ("2090-02-30", "is not a time"),
        ("999999w", "is not a time"),
        ("2090-01-31T09:05:07", "has no time zone: write 2090-01-31T09:05:07Z for UTC"),
        ("2020-01-31", "is in the past"),
    ],
)
def test_an_end_that_can_not_be_is_a_usage_error(text: str, said: str) -> None:
    done = diglot("key", "issue", "ada@x", "--expires", text)
    assert done.code == 2
    assert said in done.err
    assert not Path("data").exists()


def test_a_key_is_only_for_a_user_that_exists(run: Run) -> None:
    assert run("key", "issue", "nobody@x") == (1, "", "diglot: no user 'nobody@x'\n")
    assert run("key", "list", "nobody") == (1, "", "diglot: no user 'nobody'\n")
    assert run("key", "rotate", "none") == (1, "", "diglot: no API key 'none'\n")


# --- auth --------------------------------------------------------------------------------------------------


@pytest.fixture
def secret(run: Run) -> str:
    run("user", "create", "ada@example.org")
    return str(run("key", "issue", "ada@example.org", "--format", "json").json["key"])


def test_the_key_comes_from_the_variable_or_else_from_standard_input(run: Run, secret: str) -> None:
    for given in ({"stdin": f"{secret}\n"}, {"env": {"DIGLOT_API_KEY": secret}, "stdin": "dgl_other"}):
        done = run("auth", "check", **given)
        assert done.code == 0
        assert "email    ada@example.org\n" in done.out
        assert secret not in done.out + done.err


@pytest.mark.parametrize("stdin", ["dgl_x", "x" * 10_000, "dgl_" + "A" * 43 + "AAAAAA"])
def test_a_key_that_is_none_ends_with_1_and_always_the_same_line(run: Run, stdin: str) -> None:
    assert run("auth", "check", stdin=stdin) == (1, "", "diglot: the API key is not valid\n")


@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
@pytest.mark.parametrize("variable", [b"", b"dgl_\xff"], ids=["standard input", "variable"])
def test_bytes_that_are_no_text_are_no_key_either(errors: str, variable: bytes, tmp_path: Path) -> None:
    env = {**os.environb, b"PYTHONIOENCODING": f"utf-8:{errors}".encode(), b"DIGLOT_API_KEY": variable}
    command = [*COMMAND, "auth", "check"]
    done = subprocess.run(command, input=b"dgl_\xff\n", capture_output=True, cwd=tmp_path, env=env, check=False)
    assert done.returncode == 1
    assert done.stderr == b"diglot: the API key is not valid\n"


@pytest.mark.parametrize("stdin", ["", "\n", "  \n"])
def test_without_a_key_it_is_a_usage_error(stdin: str) -> None:
    done = diglot("auth", "check", stdin=stdin)
    assert done.code == 2
    assert "set DIGLOT_API_KEY, or pass the key on standard input" in done.err


@pytest.mark.sqlite
def test_a_person_is_asked_for_the_key_and_it_is_not_shown(tmp_path: Path) -> None:
    diglot("user", "create", "ada@example.org")
    secret = diglot("key", "issue", "ada@example.org", "--format", "json").json["key"]
    code, shown = terminal("auth", "check", answers=("API key: ", f"{secret}\n"), cwd=tmp_path)
    assert code == 0
    assert "ada@example.org" in shown
    assert secret not in shown


@pytest.mark.parametrize("typed", ["\x03", "\x04"], ids=["ctrl-c", "ctrl-d"])
def test_whoever_gives_no_answer_is_let_go(typed: str, tmp_path: Path) -> None:
    code, shown = terminal("auth", "check", answers=("API key: ", typed), cwd=tmp_path)
    assert code == 130
    assert shown.endswith("\ndiglot: interrupted\n")
    assert "Traceback" not in shown


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_in_a_prompt_has_its_own_exit_code(number: signal.Signals, code: int, tmp_path: Path) -> None:
    command, screen = in_terminal("auth", "check", cwd=tmp_path)
    try:
        shows(screen, "API key: ")
        command.send_signal(number)
        shows(screen, "diglot: terminated")
        assert command.wait(TIMEOUT) == code
    finally:
        os.close(screen)
        command.kill()
        command.wait()


# --- a script, step by step, each command a process of its own ---------------------------------------------


@on_every_lasting_database
def test_a_script_can_do_it_all(database_url: str, tmp_path: Path) -> None:
    env = {"DATABASE_URL": database_url}
    made = process("--format", "json", "init", "--admin", "ada@example.org", env=env, cwd=tmp_path)
    assert made.code == 0
    key = made.json["key"]
    who = process("auth", "check", "--format=json", env={**env, "DIGLOT_API_KEY": key}, cwd=tmp_path)
    assert who.json["email"] == "ada@example.org"
    bad = process("user", "delete", "ada@example.org", "--yes", env=env, cwd=tmp_path)
    assert (bad.code, bad.out) == (1, "")
    assert key not in bad.err
    assert all(path.name.startswith("app.db") for path in tmp_path.iterdir())


def test_deleting_a_user_is_confirmed(run: Run, answer: Callable[..., Any]) -> None:
    answer("user", "create", "ada@example.org")
    refused = run("user", "delete", "ada@example.org")
    assert (refused.code, refused.out) == (1, "")
    lost = "user ada@example.org (user) and all the user's keys"
    assert refused.err == f"diglot: deleting would lose data ({lost}): confirm with --yes\n"
    assert answer("user", "show", "ada@example.org")["email"] == "ada@example.org"


@pytest.mark.sqlite
@pytest.mark.parametrize(("typed", "code"), [("n\n", 1), ("\n", 1), ("y\n", 0)])
def test_a_person_is_asked_before_a_user_is_deleted(typed: str, code: int, tmp_path: Path) -> None:
    assert process("user", "create", "ada@example.org", "--db-path", "app.db", cwd=tmp_path).code == 0
    command = ["user", "delete", "ada@example.org", "--db-path", "app.db"]
    ended, shown = terminal(*command, answers=("[y/N]: ", typed), cwd=tmp_path)
    assert ended == code
    assert "Delete anyway? [y/N]: " in shown
    assert ("diglot: nothing was deleted" in shown) == (code == 1)
    found = process("user", "show", "ada@example.org", "--db-path", "app.db", cwd=tmp_path)
    assert found.code == (0 if code else 1)
