"""Which values are taken, from which file or variable, and how a wrong one is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from diglot.errors import ConfigurationError
from diglot.statestore.config import load
from diglot.statestore.config.keys import KEYS
from diglot.stores.settings import PostgresSettings, SQLiteSettings
from tests.statestore.config.configuring import CANARY, PG, configure, postgres, refusal, source_of, sqlite


def test_every_setting_of_sqlite_arrives() -> None:
    config = configure(
        toml="""
        auto_migrate = false
        [database]
        driver = "sqlite"
        path = "x.db"
        synchronous = "relaxed"
        pool_max = 2
        statement_timeout = 7
        lock_timeout = 0.25
        migration_timeout = 9
        """
    )
    assert config.database == SQLiteSettings(
        path="x.db", readers=2, lock_timeout=0.25, statement_timeout=7.0, synchronous="relaxed"
    )
    assert (config.auto_migrate, config.migration_timeout, config.driver) == (False, 9.0, "sqlite")


def test_every_setting_of_postgresql_arrives() -> None:
    config = configure(
        env={
            "DB_DRIVER": "postgres",
            "DB_HOST": "h",
            "DB_PORT": "1",
            "DB_USER": "u",
            "DB_PASSWORD": "p",
            "DB_NAME": "n",
            "DB_SSL_MODE": "verify-full",
            "DB_POOLER": "transaction",
            "DB_POOL_MIN": "1",
            "DB_POOL_MAX": "2",
            "DB_POOL_TIMEOUT": "3",
            "DB_CONNECT_TIMEOUT": "4",
            "DB_STATEMENT_TIMEOUT": "5",
            "DB_LOCK_TIMEOUT": "6",
            "DB_IDLE_IN_TRANSACTION_TIMEOUT": "7",
            "DB_DEADLINE": "8.5",
            "DB_APPLICATION_NAME": "engine",
            "DB_AUTO_MIGRATE": "off",
            "DB_MIGRATION_TIMEOUT": "10",
        }
    )
    assert config.database == PostgresSettings(
        host="h",
        port=1,
        user="u",
        password="p",
        dbname="n",
        ssl_mode="verify-full",
        pooler="transaction",
        pool_min=1,
        pool_max=2,
        pool_timeout=3.0,
        connect_timeout=4.0,
        statement_timeout=5.0,
        lock_timeout=6.0,
        idle_in_transaction_timeout=7.0,
        deadline=8.5,
        application_name="engine",
    )
    assert (config.auto_migrate, config.migration_timeout, config.driver) == (False, 10.0, "postgres")


def test_arguments_of_open_are_settings_too() -> None:
    assert sqlite(configure(flags={"path": Path("x.db"), "lock_timeout": 2, "url": None})).lock_timeout == 2.0
    assert source_of(configure(flags={"database_url": "x.db"}), "database.path") == "url (argument)"
    assert refusal(flags={"hots": "x"}) == "unknown setting 'hots': did you mean host?"
    assert refusal(flags={"port": "x", "host": "h"}).startswith("port (argument): 'x' can't be used: use a whole")


def test_the_deadline_follows_the_statement_timeout() -> None:
    assert postgres(configure(env={"DATABASE_URL": PG, "DB_STATEMENT_TIMEOUT": "120"})).deadline == 125.0


@pytest.mark.parametrize(
    ("env", "text"),
    [
        ({"DB_STATEMENT_TIMEOUT": "30", "DB_DEADLINE": "10"}, "statement_timeout is 30 and deadline is 10"),
        ({"DB_DEADLINE": "10"}, "DB_DEADLINE (environment): statement_timeout is 30 and deadline is 10"),
        ({"DB_POOL_MIN": "11"}, "DB_POOL_MIN (environment): pool_min is 11 and pool_max is 10"),
        ({"DB_POOL_MIN": "3", "DB_POOL_MAX": "2"}, "pool_min can't be above pool_max"),
    ],
)
def test_values_that_do_not_go_together_are_refused(env: dict[str, str], text: str) -> None:
    assert text in refusal(env={"DATABASE_URL": PG, **env})


@pytest.mark.parametrize("value", ["0", "-1", "65536", "5432.5", "5_432", "1e3", "abc", "0x10", "true", "٣", "5432x"])
def test_a_port_that_is_none_is_refused_with_what_is_allowed(value: str) -> None:
    assert refusal(env={"DB_HOST": "h", "DB_NAME": "n", "DB_PORT": value}) == (
        f"DB_PORT (environment): {value!r} can't be used: use a whole number from 1 to 65535"
    )


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "1e9", "86401", "5s", "none"])
def test_a_timeout_that_is_none_is_refused_with_what_is_allowed(value: str) -> None:
    text = refusal(env={"DB_LOCK_TIMEOUT": value})
    assert (
        text
        == f"DB_LOCK_TIMEOUT (environment): {value!r} can't be used: use a number of seconds above 0, at most 86400"
    )


@pytest.mark.parametrize("value", ["maybe", "2", "truely"])
def test_a_switch_that_is_neither_on_nor_off_is_refused(value: str) -> None:
    text = refusal(env={"DB_AUTO_MIGRATE": value})
    assert text == f"DB_AUTO_MIGRATE (environment): {value!r} can't be used: use true or false"


@pytest.mark.parametrize(
    ("toml", "text"),
    [
        ("[database]\nport = true", "database.port (diglot.toml): True can't be used: use a whole number"),
        ("[database]\nport = 5.5", "database.port (diglot.toml): 5.5 can't be used"),
        ("[database]\npassword = 5432", "database.password (diglot.toml): this value (hidden) can't be used: use text"),
        ("[database]\nhost = 5", "database.host (diglot.toml): 5 can't be used: use a host name"),
        ("[database]\nlock_timeout = nan", "database.lock_timeout (diglot.toml): nan can't be used"),
        ("[database]\npath = ''", "database.path (diglot.toml): '' can't be used: use the path of a file"),
        ("[database]\npath = 'file:x?vfs=unix-none'", "(hidden) can't be used"),
        ('[database]\nuser = "a\\nb"', "database.user (diglot.toml): 'a\\nb' can't be used"),
        ("[database]\nssl_mode = 'on'", "use 'disable', 'allow', 'prefer', 'require', 'verify-ca' or 'verify-full'"),
        ("[database]\nsynchronous = 'off'", "use 'full' or 'relaxed'"),
        ("[database]\nhost = ['h']", "database.host (diglot.toml): this value (hidden) can't be used"),
        ("[database]\npath = '" + "x" * 80 + "://'", "database.path (diglot.toml): this value (hidden)"),
        ("[database]\napplication_name = '" + "x" * 64 + "'", "…"),
        ("[database]\nprot = 1", "database.prot (diglot.toml): unknown key: did you mean database.port?"),
        ("[database]\nquite_another = 1", "unknown key: use one of [database], auto_migrate, database.driver"),
        ("prot = 1", "prot (diglot.toml): unknown key"),
        ("port = 1", "port (diglot.toml): this key belongs in [database]"),
        ("[database]\nauto_migrate = true", "database.auto_migrate (diglot.toml): this key belongs above the sections"),
        ("[datbase]\nport = 1", "datbase (diglot.toml): unknown key: did you mean [database]?"),
        ("database = 'x.db'", "database (diglot.toml): this is a section, [database]"),
        (
            "[database\n",
            "diglot.toml is not TOML: expected ']' at the end of a table declaration (at line 1, column 10)",
        ),
    ],
)
def test_what_is_not_right_in_the_file_is_named(toml: str, text: str) -> None:
    assert text in refusal(toml=toml)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a = 1\x00"])
def test_a_file_that_is_not_text_is_refused(content: bytes) -> None:
    Path("diglot.toml").write_bytes(content)
    assert refusal().startswith("diglot.toml is not TOML")


def test_a_configuration_file_that_was_named_must_be_there() -> None:
    with pytest.raises(ConfigurationError, match=r"^other\.toml: can't be read: no such file or directory$"):
        load(config_file="other.toml", env={})


def test_a_configuration_file_that_was_named_takes_the_place_of_the_usual_one() -> None:
    Path("diglot.toml").write_text("[database]\npath = 'usual.db'\n")
    Path("other.toml").write_text("[database]\npath = 'other.db'\n")
    assert sqlite(load(config_file=Path("other.toml"), env={})).path == "other.db"


def test_an_unknown_variable_is_an_error_that_knows_a_better_name() -> None:
    assert refusal(env={"DB_PROT": "1"}) == "DB_PROT (environment): unknown variable: did you mean DB_PORT?"
    assert refusal(dotenv="DB_PROT=1\n") == "DB_PROT (.env): unknown variable: did you mean DB_PORT?"
    assert "use one of DB_AUTO_MIGRATE, DB_DRIVER, DATABASE_URL" in refusal(env={"DB_": "1"})


def test_variables_of_other_programs_and_empty_ones_do_not_count() -> None:
    env = {"PATH": "/bin", "DBUS_SESSION": "x", "DB_HOST": "", "DATABASE_URL": ""}
    assert configure(env=env, dotenv="OTHER=1\nDB_NAME=\n").driver == "sqlite"


def test_dotenv_is_read_as_it_is_usually_written() -> None:
    config = configure(
        dotenv="""
        # the database
        export DB_HOST=db   # where
        DB_NAME="app"

        DB_USER='ada'
        DB_PASSWORD='a#b$HOME${X}'
        """
    )
    database = postgres(config)
    assert (database.host, database.dbname, database.user) == ("db", "app", "ada")
    assert database.password == "a#b$HOME${X}"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (f"DB_PASSWORD {CANARY}", ".env: line 3 is not NAME=value"),
        (f"DB_PASSWORD:{CANARY}", ".env: line 3 is not NAME=value"),
        (f"DB_PASSWORD='{CANARY}", ".env: line 3 is not NAME=value"),
        (f"DB_{CANARY}=x", "a variable that begins with DB_ (.env): unknown variable"),
    ],
)
def test_a_line_that_can_not_be_read_is_named_by_its_number(line: str, shown: str) -> None:
    assert refusal(dotenv=f"DB_HOST=h\n\n{line}\n").startswith(shown)


def test_dotenv_that_can_not_be_read_is_an_error() -> None:
    Path(".env").write_bytes(b"DB_HOST=\xff")
    assert refusal() == ".env: not UTF-8 (at line 1, column 9)"
    Path(".env").unlink()
    Path(".env").mkdir()
    assert refusal() == ".env: can't be read: is a directory"


def test_dotenv_can_be_left_out() -> None:
    Path(".env").write_text("DB_HOST=h")
    assert load(env={}, dotenv=None).driver == "sqlite"


def test_the_environment_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PATH", "process.db")
    assert sqlite(load()).path == "process.db"


def test_the_example_file_names_every_variable_and_both_its_databases_work() -> None:
    text = (Path(__file__).parents[3] / ".env.example").read_text("utf-8")
    named = {line.removeprefix("# ").partition("=")[0] for line in text.splitlines() if "=" in line}
    assert {key.variable for key in KEYS.values()} <= named
    assert configure(dotenv=text).driver == "sqlite"
    uncommented = "\n".join(
        line.removeprefix("# ") for line in text.splitlines() if line.startswith("# DATABASE_URL=postgresql://")
    )
    assert configure(dotenv=uncommented).driver == "postgres"


def test_loading_the_package_does_not_load_pydantic() -> None:
    code = "import sys, diglot.statestore.config; sys.exit('pydantic' in sys.modules or 'dotenv' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
