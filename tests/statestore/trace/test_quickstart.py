"""``diglot quickstart`` on every database: the first time, again, beside other admins, and what it prints."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from diglot import statestore
from diglot.cli.output import Output
from diglot.errors import DiglotError
from diglot.statestore.cli.app import StoreApp
from diglot.statestore.cli.measures import print_latencies
from diglot.statestore.cli.next_steps import next_steps
from diglot.statestore.cli.quickstart import AGAIN_NAME, EMAIL, KEY_NAME, read_back, sign_in
from diglot.statestore.database import Database
from diglot.statestore.models import User
from diglot.statestore.trace.latency import Latencies, Summary
from diglot.statestore.trace.plan import plan
from diglot.statestore.trace.replay import replay
from diglot.statestore.trace.wfformat import bundled_trace
from tests.cli.running import diglot, started, terminal
from tests.databases import POSTGRES_PARAMS, SQLITE_PARAMS
from tests.statestore.trace.traces import trace

NOW = datetime(2100, 1, 1, tzinfo=UTC)
PROGRAM = Path(sys.executable).with_name("diglot")


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _keys(db: Database, email: str) -> list[str | None]:
    return [key.name for key in db.api_keys.list(db.users.get_by_email(email).id).items]


# --- on every database -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("database_url", SQLITE_PARAMS[:1] + POSTGRES_PARAMS, indirect=True)  # memory is refused
def test_on_an_empty_database_it_does_everything_for_real(database_url: str) -> None:
    done = diglot("quickstart", "--database-url", database_url, "--format", "json")
    if ":memory:" in database_url:
        assert (done.code, done.out) == (2, ""), "the key would be for a database that is gone"
        return
    answer = done.json
    assert answer["user"]["email"] == EMAIL
    assert answer["user"]["role"] == "admin"
    assert re.fullmatch(r"dgl_[A-Za-z0-9_-]{49}", answer["key"])
    assert len(answer["migrated"]) >= 5
    assert answer["database"]["driver"] == ("postgres" if "postgres" in database_url else "sqlite")
    recorded = bundled_trace()
    assert answer["replay"]["tasks"] == len(recorded.tasks)
    assert answer["workflow"]["status"] == "SUCCESS"
    assert answer["workflow"]["workflow_id"] == recorded.name
    assert answer["targets"]["read"]["p99_ms"] == 50
    assert answer["targets"]["write"]["p99_ms"] == 100
    assert answer["targets"]["read"]["met"] == (answer["replay"]["latencies_ms"]["read"]["p99"] < 50)


def test_the_key_of_the_first_run_still_works_after_the_second(migrated_url: str) -> None:
    first = diglot("quickstart", "--database-url", migrated_url, "--format", "json").json
    second = diglot("quickstart", "--database-url", migrated_url, "--format", "json").json
    assert second["migrated"] == []
    assert second["user"] == first["user"]
    assert second["key"] != first["key"]
    with statestore.open(migrated_url) as db:
        assert sorted(_keys(db, EMAIL)) == [KEY_NAME, AGAIN_NAME]
        for run in (first, second):
            assert db.api_keys.authenticate(run["key"]).email == EMAIL
        assert {state.status for state in db.workflows.list().items} == {"SUCCESS"}
        assert len(db.workflows.list().items) == 2


def test_on_a_database_with_an_admin_nobody_becomes_one(db: Database) -> None:
    admin, _ = db.users.create_first_admin("ada@example.org", "laptop")
    user, issued, created = sign_in(db, EMAIL)
    assert (user.email, user.role, created) == (EMAIL, "user", False)
    assert db.api_keys.authenticate(issued.secret) == user
    assert [key.name for key in db.api_keys.list(admin.id).items] == ["laptop"]


def test_the_admin_that_is_named_gets_the_key(db: Database) -> None:
    user, _, created = sign_in(db, "Ada@Example.org")
    assert (user.email, user.role, created) == ("ada@example.org", "admin", True)
    again, issued, created = sign_in(db, "ada@example.org")
    assert (again, created) == (user, False)
    assert db.api_keys.authenticate(issued.secret) == user
    assert sorted(_keys(db, "ada@example.org")) == [KEY_NAME, AGAIN_NAME]


def test_keys_of_later_runs_expire_after_a_day_and_do_not_pile_up(db: Database) -> None:
    user, first, _ = sign_in(db, EMAIL, NOW)
    other = db.api_keys.issue(user.id, "other", expires_at=NOW + timedelta(days=1))
    for hours in range(6):
        _, issued, _ = sign_in(db, EMAIL, NOW + timedelta(hours=hours))
        assert issued.api_key.expires_at == NOW + timedelta(days=1, hours=hours)
    sign_in(db, EMAIL, NOW + timedelta(days=3))
    assert sorted(_keys(db, EMAIL)) == ["other", KEY_NAME, AGAIN_NAME]
    assert db.api_keys.authenticate(first.secret) == user
    assert other.api_key.id in {key.id for key in db.api_keys.list(user.id).items}


def test_a_permanent_key_that_was_revoked_is_made_again(db: Database) -> None:
    user, first, _ = sign_in(db, EMAIL)
    db.api_keys.revoke(first.api_key.id)
    _, issued, _ = sign_in(db, EMAIL)
    assert (issued.api_key.name, issued.api_key.expires_at) == (KEY_NAME, None)
    assert db.api_keys.authenticate(issued.secret) == user


def test_many_keys_and_groups_are_gone_through_page_by_page(db: Database) -> None:
    user, first, _ = sign_in(db, EMAIL, page=2)
    for number in range(4):
        db.api_keys.issue(user.id, f"other-{number}")
    _, issued, _ = sign_in(db, EMAIL, page=2)
    assert issued.api_key.name == AGAIN_NAME, "the permanent key, which is on the last page, was seen"
    assert db.api_keys.authenticate(first.secret) == user
    planned = plan(trace())
    id = replay(db, planned, new_id=statestore.new_id).runs[0].workflow_exec_id
    assert len(read_back(db, id, planned, page=2)[1]) == 8


def test_a_user_that_another_run_makes_meanwhile_is_taken(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    db.users.create_first_admin("ada@example.org", "laptop")
    create = db.users.create

    def made_by_both(email: str) -> User:
        create(email)
        return create(email)

    monkeypatch.setattr(db.users, "create", made_by_both)
    user, issued, _ = sign_in(db, EMAIL)
    assert db.api_keys.authenticate(issued.secret) == user


def test_an_interrupted_quickstart_leaves_nothing_unfinished(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/app.db"
    main = threading.main_thread().ident
    assert main is not None

    def press() -> None:
        with statestore.open(url) as other:
            deadline = time.monotonic() + 120
            while not other.workflows.list(status="RUNNING").items:
                assert time.monotonic() < deadline
            signal.pthread_kill(main, signal.SIGINT)

    with statestore.open(url, migrate=True) as db:
        presser = threading.Thread(target=press)
        presser.start()
        with pytest.raises(KeyboardInterrupt):
            diglot("quickstart", "--database-url", url)
        presser.join()
        assert [state.status for state in db.workflows.list().items] == ["CANCELED"]
        assert db.tasks.list(status="RUNNING").items == []


def test_several_at_once_all_succeed(migrated_url: str) -> None:
    children = [started("quickstart", "--database-url", migrated_url, "--format", "json") for _ in range(2)]
    ended = [(child.communicate(timeout=180), child.returncode) for child in children]
    assert [code for _, code in ended] == [0, 0], ended
    with statestore.open(migrated_url) as db:
        assert [state.status for state in db.workflows.list().items] == ["SUCCESS"] * 2
        assert [user.role for user in db.users.list().items] == ["admin"]


def test_what_was_read_back_must_be_what_was_recorded(db: Database) -> None:
    planned = plan(trace())
    id = replay(db, planned, new_id=statestore.new_id).runs[0].workflow_exec_id
    run, tasks = read_back(db, id, planned)
    assert (run.status, len(tasks)) == ("SUCCESS", 8)
    task = db.tasks.latest(id)["work_ID03"]
    db.tasks.upsert(task.replace(status="FAILED"))
    with pytest.raises(DiglotError, match="read back as SUCCESS with 8 tasks, 1 in total unfinished"):
        read_back(db, id, planned)
    db.tasks.delete(task.task_exec_id)
    with pytest.raises(DiglotError, match="read back as SUCCESS with 7 tasks, 0 in total unfinished: 8 finished tasks"):
        read_back(db, id, planned)


def test_an_address_that_is_none_is_refused(tmp_path: Path) -> None:
    done = diglot("quickstart", "--admin", "nobody", "--db-path", "app.db")
    assert (done.code, done.out) == (2, "")
    assert "'nobody' is not an e-mail address" in done.err


# --- what people see ---------------------------------------------------------------------------------------------


def test_without_any_setting_it_is_the_file_in_the_data_folder(tmp_path: Path) -> None:
    done = diglot("quickstart")
    assert done.code == 0, done.err
    assert (tmp_path / "data" / "app.db").stat().st_mode & 0o777 == 0o600
    lines = done.out.splitlines()
    assert re.fullmatch(rf"database  {re.escape(str(tmp_path))}/data/app\.db  \(SQLite [\d.]+\)", lines[0])
    assert re.fullmatch(r"schema    \d migrations applied", lines[1])
    assert lines[2] == f"admin     {EMAIL}, created"
    assert re.fullmatch(r"key       dgl_[A-Za-z0-9_-]{49}", lines[3])
    assert re.fullmatch(r"own-test-run  SUCCESS  [\d. mins]+  [\d,]+ tasks", lines[5])
    assert re.search(r"… \d+ more: \d+ SUCCESS", done.out), "collapsed where it is wide"
    assert re.search(r"^reads +[\d,]+ +\d+\.\d\d +\d+\.\d\d  p99 < 50 ms +(pass|MISS)$", done.out, re.M)
    assert re.search(r"^writes +[\d,]+ +\d+\.\d\d +\d+\.\d\d  p99 < 100 ms +(pass|MISS)$", done.out, re.M)
    assert done.out.count("dgl_") == 1, "the key is shown once"
    assert done.err == "Signed in with the key. Keep it: it is shown only this once.\n"

    again = diglot("quickstart").out.splitlines()
    assert again[1:3] == ["schema    up to date", f"admin     {EMAIL}, already exists"]


@pytest.mark.parametrize("columns", [100, 60])
def test_on_a_terminal_status_and_times_stay_in_sight(columns: int) -> None:
    code, shown = terminal("quickstart", "--db-path", "app.db", columns=columns)
    assert code == 0, shown
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)
    tree = [line for line in plain.splitlines() if re.match(r"[│├└ ]*[├└]── ", line) and "more:" not in line]
    assert len(tree) > 5
    for line in tree:
        assert re.search(r"  SUCCESS  [\d.]+ (ms|s|min \d\d s)(  \d+ tasks?)?$", line)
        assert len(line) <= columns
    assert re.search(r"recording ━+ +[\d,]+/[\d,]+ 0:0", plain)
    assert re.search(r"^ ?writes .* (pass|MISS) *$", plain, re.M), "the table fits"


def test_the_commands_to_try_next_work_as_they_are_printed(tmp_path: Path) -> None:
    """All but the one that needs a PostgreSQL of one's own; the key goes to the one that asks for it."""
    for arguments, env in (
        (["--db-path", "with space.db"], {}),
        ([], {"DATABASE_URL": f"sqlite:///{tmp_path}/from environment.db"}),
    ):
        without = {**os.environ, "PATH": "/usr/bin:/bin"}
        ran = subprocess.run(
            [PROGRAM, *arguments, "quickstart"], capture_output=True, text=True, env=without | env, check=True
        )
        key = re.search(r"dgl_\S+", ran.stdout)
        assert key
        commands = re.findall(r"^  (?!#)(.*)$", ran.stdout.partition("What to try next")[2], re.M)
        assert len(commands) == 6 + len(env)
        assert "postgresql://USER@HOST/DATABASE" in commands.pop()
        assert commands.pop().endswith(" start"), "a service would not end here; it is tried in tests/server"
        if env:  # how the program is called was seen above: here it is only the variable
            commands = [commands[0], commands[-1]]
        tried = subprocess.run(
            ["sh", "-e", "-c", "\n".join(commands)],
            input=key[0],
            capture_output=True,
            text=True,
            env=without,
            check=False,
        )
        assert tried.returncode == 0, tried.stderr
        assert EMAIL in tried.stdout
        assert ("played 4 times, 4 at once" in tried.stdout) == (not env)


def _steps(env: dict[str, str], monkeypatch: pytest.MonkeyPatch, **flags: Any) -> list[str]:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    app = StoreApp()
    app.flags.update(flags)
    return [command for command, _ in next_steps(app, "ID")]


def test_what_to_try_next_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "hunter2hunter2"
    for env, flags, begin in (
        ({}, {"--database-url": f"postgresql://u:{secret}@localhost/d"}, "diglot workflow show ID"),
        ({"DATABASE_URL": f"postgresql://u:{secret}@localhost/d"}, {}, "export DATABASE_URL=…"),
        (
            {"DATABASE_URL": "", "DB_HOST": "localhost", "DB_PASSWORD": secret, "DB_NAME": "d"},
            {},
            "export DB_HOST=localhost DB_NAME=d DB_PASSWORD=…",
        ),
    ):
        with monkeypatch.context() as patch:
            commands = _steps(env, patch, **flags)
        assert commands[0].startswith(begin)
        assert secret not in " ".join(commands)
        assert not any("USER@HOST" in command for command in commands), "it is on PostgreSQL already"


def test_the_service_is_tried_next_only_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "diglot start" in _steps({}, monkeypatch)
    monkeypatch.setattr("diglot.statestore.cli.next_steps.find_spec", lambda name: None)
    assert "diglot start" not in _steps({}, monkeypatch)


def test_in_a_checkout_it_is_make_run_that_is_tried_next(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("Makefile").touch()
    assert _steps({}, monkeypatch)[-1] == "DATABASE_URL=postgresql://USER@HOST/DATABASE make run"


def test_the_program_is_named_so_that_a_shell_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / "my env" / "bin"
    inside.mkdir(parents=True)
    (inside / "diglot").touch(mode=0o755)
    monkeypatch.setattr(sys, "argv", [str(inside / "diglot")])
    monkeypatch.setenv("PATH", "/usr/bin")
    assert _steps({}, monkeypatch)[1] == "'my env/bin/diglot' workflow list"
    monkeypatch.setenv("PATH", str(inside))
    assert _steps({}, monkeypatch)[1] == "diglot workflow list"
    monkeypatch.setenv("PATH", "/usr/bin")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert _steps({}, monkeypatch)[1] == f"'{inside}/diglot' workflow list"


def test_a_target_that_was_missed_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    measured = Latencies(read=Summary(1000, 1.0, 50.0, 70.0), write=Summary(9, 2.0, 99.99, 300.0), operations={})
    print_latencies(Output("table"), measured, targets=True)
    assert [line.split() for line in capsys.readouterr().out.splitlines()[1:]] == [
        ["reads", "1,000", "1.00", "50.00", "p99", "<", "50", "ms", "MISS"],
        ["writes", "9", "2.00", "99.99", "p99", "<", "100", "ms", "pass"],
    ]
