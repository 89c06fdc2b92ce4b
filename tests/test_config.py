"""Which database is chosen, with which settings, from which source; and that no password is ever shown."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from diglot.config import Config, load
from diglot.config.keys import KEYS
from diglot.errors import ConfigurationError
from diglot.stores.settings import PostgresSettings, SQLiteSettings

CANARY = "Hunter2-canary"
PG = "postgresql://ada@db.example.org:6432/app"


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def configure(
    *,
    flags: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    dotenv: str | None = None,
    toml: str | None = None,
) -> Config:
    """The configuration of these sources, the two files written to the current folder."""
    if dotenv is not None:
        Path(".env").write_text(dotenv, "utf-8")
    if toml is not None:
        Path("diglot.toml").write_text(toml, "utf-8")
    return load(env=env or {}, flags=flags)


def postgres(config: Config) -> PostgresSettings:
    assert isinstance(config.database, PostgresSettings)
    return config.database


def sqlite(config: Config) -> SQLiteSettings:
    assert isinstance(config.database, SQLiteSettings)
    return config.database


def source_of(config: Config, key: str) -> str:
    return {name: source for name, _, source in config.explain()}[key]


def refusal(**sources: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        configure(**sources)
    text = str(caught.value)
    assert "\n" not in text
    assert CANARY not in text
    return text


# --- which database ----------------------------------------------------------------------------------------


def test_without_any_setting_it_is_sqlite_in_the_data_folder() -> None:
    config = configure()
    assert config.database == SQLiteSettings(path="./data/app.db")
    assert config.auto_migrate is True
    assert {source for _, _, source in config.explain()} == {"default"}


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_a_postgresql_url_chooses_postgresql(scheme: str) -> None:
    database = postgres(configure(env={"DATABASE_URL": f"{scheme}://ada:pw@db.example.org:6432/app?sslmode=require"}))
    assert (database.host, database.port, database.user) == ("db.example.org", 6432, "ada")
    assert (database.password, database.dbname, database.ssl_mode) == ("pw", "app", "require")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///folder/file.db", "folder/file.db"),
        ("sqlite:////srv/file.db", "/srv/file.db"),
        ("folder/file.db", "folder/file.db"),
        (":memory:", ":memory:"),
        ("sqlite://:memory:", ":memory:"),
        ("file:folder/file.db", "folder/file.db"),
    ],
)
def test_a_sqlite_url_or_a_path_chooses_sqlite(url: str, path: str) -> None:
    assert sqlite(configure(env={"DATABASE_URL": url})).path == path


def test_another_scheme_is_refused_with_the_supported_ones() -> None:
    text = refusal(env={"DATABASE_URL": f"mysql://ada:{CANARY}@db/app"})
    assert text.startswith("DATABASE_URL (environment): ")
    assert "mysql" in text
    assert "postgresql://" in text
    assert "sqlite://" in text


@pytest.mark.parametrize("name", ["DB_HOST", "DB_PORT", "DB_USER", "DB_PASSWORD", "DB_NAME", "DB_SSL_MODE"])
def test_any_postgresql_field_chooses_postgresql(name: str) -> None:
    value = {"DB_PORT": "5433", "DB_SSL_MODE": "require"}.get(name, "x")
    text = refusal(env={name: value})
    assert f"{name} (environment) chooses PostgreSQL" in text
    assert "is missing" in text


def test_fields_alone_are_enough_for_postgresql() -> None:
    config = configure(env={"DB_HOST": "db", "DB_PORT": "6432", "DB_USER": "ada", "DB_PASSWORD": "p", "DB_NAME": "app"})
    assert postgres(config) == PostgresSettings(host="db", port=6432, user="ada", password="p", dbname="app")


def test_a_conn_string_chooses_postgresql() -> None:
    database = postgres(configure(env={"DB_CONN_STRING": "host=db user=ada dbname=app password='a b'"}))
    assert (database.host, database.user, database.dbname, database.password) == ("db", "ada", "app", "a b")


@pytest.mark.parametrize(("missing", "given"), [("DB_HOST", "DB_NAME"), ("DB_NAME", "DB_HOST")])
def test_a_missing_field_is_named(missing: str, given: str) -> None:
    assert refusal(env={given: "x"}).startswith(f"{missing} is missing: {given} (environment) chooses PostgreSQL")


def test_an_explicit_driver_decides() -> None:
    assert sqlite(configure(env={"DB_DRIVER": "sqlite"})).path == "./data/app.db"
    assert "DB_DRIVER (environment) chooses PostgreSQL" in refusal(env={"DB_DRIVER": "postgres"})


def test_an_unknown_driver_is_named_with_the_known_ones() -> None:
    assert refusal(env={"DB_DRIVER": "mysql"}) == (
        "DB_DRIVER (environment): unsupported database driver 'mysql': use 'postgres' or 'sqlite'"
    )


# --- one source over another -------------------------------------------------------------------------------


def test_flags_beat_the_environment_it_beats_dotenv_that_the_file_that_the_default() -> None:
    flags = {"--db-path": "flag.db"}
    env = {"DB_PATH": "env.db"}
    dotenv = "DB_PATH=dotenv.db\n"
    toml = "[database]\npath = 'toml.db'\n"
    expected = [
        (configure(toml=toml), "toml.db", "database.path (diglot.toml)"),
        (configure(dotenv=dotenv), "dotenv.db", "DB_PATH (.env)"),
        (configure(env=env), "env.db", "DB_PATH (environment)"),
        (configure(env=env, flags=flags), "flag.db", "--db-path"),
    ]
    for config, path, source in expected:
        assert sqlite(config).path == path
        assert source_of(config, "database.path") == source


def test_each_setting_comes_from_its_own_uppermost_source() -> None:
    config = configure(
        toml="auto_migrate = false\n[database]\nhost = 'toml'\nport = 1\nuser = 'toml'\nlock_timeout = 1.5\n",
        dotenv="DB_NAME=dotenv\nDB_USER=dotenv\n",
        env={"DB_PORT": "7000"},
    )
    database = postgres(config)
    assert (database.host, database.port, database.user, database.dbname) == ("toml", 7000, "dotenv", "dotenv")
    assert (database.lock_timeout, config.auto_migrate) == (1.5, False)
    assert source_of(config, "auto_migrate") == "auto_migrate (diglot.toml)"


@pytest.mark.parametrize(
    ("above", "path"),
    [
        ({"--db-path": "x.db"}, "x.db"),
        ({"--database-url": "x.db"}, "x.db"),
        ({"--db-driver": "sqlite"}, "./data/app.db"),
    ],
    ids=["path", "url", "driver"],
)
@pytest.mark.parametrize(
    "below", [{"DATABASE_URL": PG}, {"DB_HOST": "h", "DB_PASSWORD": "p", "DB_POOL_MIN": "3"}], ids=["url", "fields"]
)
def test_a_source_above_overrules_what_one_below_says_of_the_other_driver(
    above: dict[str, str], path: str, below: dict[str, str]
) -> None:
    assert sqlite(configure(flags=above, env=below)).path == path


def test_a_postgresql_address_overrules_a_sqlite_path_below() -> None:
    config = configure(env={"DATABASE_URL": PG}, toml="[database]\npath = 'x.db'\nsynchronous = 'relaxed'\n")
    assert postgres(config).host == "db.example.org"


def test_an_address_above_hides_an_address_below_that_is_broken() -> None:
    config = configure(flags={"--db-path": "x.db"}, env={"DATABASE_URL": "mysql://nowhere"})
    assert sqlite(config).path == "x.db"


def test_an_address_is_whole_nothing_below_changes_a_part_of_it() -> None:
    config = configure(
        flags={"--database-url": "postgresql://db/app"},
        env={"DB_HOST": "other", "DB_USER": "other", "DB_PASSWORD": "other", "DB_SSL_MODE": "disable"},
    )
    assert postgres(config) == PostgresSettings(host="db", dbname="app")


def test_settings_above_an_address_change_a_part_of_it() -> None:
    config = configure(env={"DB_NAME": "other", "DB_PASSWORD": "p"}, toml=f"[database]\nurl = '{PG}'\n")
    database = postgres(config)
    assert (database.host, database.dbname, database.password) == ("db.example.org", "other", "p")
    assert source_of(config, "database.host") == "database.url (diglot.toml)"
    assert source_of(config, "database.dbname") == "DB_NAME (environment)"


def test_a_password_that_stands_alone_completes_an_address_above() -> None:
    config = configure(flags={"--database-url": PG}, env={"DB_PASSWORD": "p"})
    assert postgres(config).password == "p"
    assert source_of(config, "database.password") == "DB_PASSWORD (environment)"


def test_a_password_of_another_database_is_not_sent_to_an_address_above() -> None:
    toml = "[database]\nhost = 'production'\ndbname = 'app'\npassword = 'p'\n"
    assert postgres(configure(flags={"--database-url": PG}, toml=toml)).password == ""
    assert (
        postgres(configure(flags={"--database-url": PG}, env={"DATABASE_URL": "postgresql://a:p@b/c"})).password == ""
    )


def test_a_password_does_not_change_a_sqlite_database_above() -> None:
    assert sqlite(configure(flags={"--db-path": "x.db"}, env={"DB_PASSWORD": "p"})).path == "x.db"


def test_fields_complete_an_address_of_the_same_source() -> None:
    env = {"DATABASE_URL": "postgresql://db/app", "DB_USER": "ada", "DB_PASSWORD": "p", "DB_SSL_MODE": "require"}
    database = postgres(configure(env=env))
    assert (database.user, database.password, database.ssl_mode) == ("ada", "p", "require")


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({"DB_DRIVER": "sqlite", "DATABASE_URL": PG}, ("DB_DRIVER", "DATABASE_URL")),
        ({"DB_DRIVER": "postgres", "DB_PATH": "x.db"}, ("DB_DRIVER", "DB_PATH")),
        ({"DATABASE_URL": "x.db", "DB_HOST": "h"}, ("DATABASE_URL", "DB_HOST")),
        ({"DATABASE_URL": PG, "DB_PATH": "x.db"}, ("DATABASE_URL", "DB_PATH")),
        ({"DB_HOST": "h", "DB_PATH": "x.db"}, ("DB_HOST", "DB_PATH")),
        ({"DATABASE_URL": PG, "DB_HOST": "other"}, ("DATABASE_URL", "DB_HOST")),
        ({"DATABASE_URL": PG, "DB_CONN_STRING": "host=x dbname=y"}, ("DATABASE_URL", "DB_CONN_STRING")),
        ({"DATABASE_URL": "postgresql://h", "DB_CONN_STRING": "user=x dbname=y"}, ("DATABASE_URL", "DB_CONN_STRING")),
        ({"DATABASE_URL": "x.db", "DB_PATH": "y.db"}, ("DATABASE_URL", "DB_PATH")),
    ],
)
def test_a_contradiction_inside_one_source_names_both_settings(env: dict[str, str], named: tuple[str, str]) -> None:
    text = refusal(env=env)
    assert all(f"{name} (environment)" in text for name in named)
    assert "remove one of the two" in text


@pytest.mark.parametrize(
    ("env", "name", "driver"),
    [
        ({"DB_PATH": "x.db", "DB_POOL_MIN": "2"}, "DB_POOL_MIN", "PostgreSQL"),
        ({"DB_CONNECT_TIMEOUT": "2"}, "DB_CONNECT_TIMEOUT", "PostgreSQL"),
        ({"DATABASE_URL": PG, "DB_SYNCHRONOUS": "relaxed"}, "DB_SYNCHRONOUS", "SQLite"),
    ],
)
def test_a_setting_of_the_other_driver_is_refused(env: dict[str, str], name: str, driver: str) -> None:
    assert refusal(env=env).startswith(f"{name} (environment) is only for {driver}, but the database is ")


# --- values ------------------------------------------------------------------------------------------------


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
        ("port = 1", "port (diglot.toml): this key stands in [database]"),
        ("[database]\nauto_migrate = true", "database.auto_migrate (diglot.toml): this key stands above the sections"),
        ("[datbase]\nport = 1", "datbase (diglot.toml): unknown key: did you mean [database]?"),
        ("database = 'x.db'", "database (diglot.toml): this is a section, [database]"),
        ("[database\n", "diglot.toml is not TOML (at line 1, column 10)"),
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


# --- .env --------------------------------------------------------------------------------------------------


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
    assert refusal() == ".env: is not UTF-8 text"
    Path(".env").unlink()
    Path(".env").mkdir()
    assert refusal() == ".env: can't be read: is a directory"


def test_dotenv_can_be_left_out() -> None:
    Path(".env").write_text("DB_HOST=h")
    assert load(env={}, dotenv=None).driver == "sqlite"


def test_the_environment_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PATH", "process.db")
    assert sqlite(load()).path == "process.db"


# --- secrets -----------------------------------------------------------------------------------------------

MALFORMED = [
    f"postgresql://ada:{CANARY}@db:port/app",
    f"postgresql://ada:{CANARY}@db:99999/app",
    f"postgresql://ada:{CANARY}@[::1/app",
    f"postgresql://ada:{CANARY}@db/app?sslmode=maybe",
    f"postgresql://ada:{CANARY}@db/app?no_such_option=1",
    f"postgresql://ada:{CANARY}@db/app?password={CANARY}&password={CANARY}",
    f"postgresql://ada:{CANARY}%zz@db/app",
    f"postgresql://ada:{CANARY}/x@db/app",
    f"postgresql//ada:{CANARY}@db/app",
    f"postgresql:/ada:{CANARY}@db/app",
    f"postgresql+psycopg://ada:{CANARY}@db/app",
    f"mysql://ada:{CANARY}@db/app",
    f"ada:{CANARY}@db/app",
    f"://ada:{CANARY}@db/app",
    f"host=db password={CANARY} dbname=app",
    f"postgresql://ada:{CANARY}@db/app\x00",
    f"postgresql://ada:{CANARY}@db/a\npp",
]


@pytest.mark.parametrize("value", MALFORMED)
@pytest.mark.parametrize(
    "name",
    ["DATABASE_URL", "DB_CONN_STRING", "DB_PATH", "DB_HOST", "DB_NAME", "DB_PORT", "DB_DRIVER", "DB_LOCK_TIMEOUT"],
)
def test_an_address_in_whatever_setting_never_shows_its_password(name: str, value: str) -> None:
    rest = {"DB_HOST": {"DB_NAME": "n"}, "DB_NAME": {"DB_HOST": "h"}}.get(name, {})
    for sources in ({"env": {name: value, **rest}}, {"dotenv": f"{name}={value}\n", "env": rest}):
        Path(".env").unlink(missing_ok=True)
        try:
            config = configure(**sources)
        except ConfigurationError as error:
            chain = [error, error.__cause__, None if error.__suppress_context__ else error.__context__]
            assert not any(CANARY in str(link) + repr(link) for link in chain)
        else:
            assert CANARY not in f"{config!r} {config.explain()}"


@pytest.mark.parametrize("value", MALFORMED)
def test_an_address_in_the_file_never_shows_its_password(value: str) -> None:
    quoted = value.encode("unicode_escape").decode().replace('"', '\\"').replace("\\x", "\\u00")
    for toml in (
        f'database = "{quoted}"',
        f'[database]\nurl = ["{quoted}"]',
        f'[database]\nport = "{quoted}"',
        f"[database]\nurl = {value}",
        f'[database]\npassword = {{"{CANARY}" = 1}}',
        f'[database]\n"{quoted}" = 1',
    ):
        refusal(toml=toml)


def test_a_password_appears_in_no_form_of_the_configuration() -> None:
    config = configure(env={"DATABASE_URL": f"postgresql://ada:{CANARY}@db/app?sslpassword={CANARY}x"})
    assert postgres(config).password == CANARY
    assert CANARY not in f"{config!r} {config} {config.explain()} {config.database}"
    assert ("database.password", "***", "DATABASE_URL (environment)") in config.explain()
    assert ("database.options.sslpassword", "***", "DATABASE_URL (environment)") in config.explain()


def test_explain_names_every_setting_of_the_driver_once_and_says_when_there_is_no_password() -> None:
    keys = [key for key, _, _ in configure(env={"DATABASE_URL": PG}).explain()]
    assert len(keys) == len(set(keys))
    for key in KEYS.values():
        if key.name not in ("url", "conn_string") and key.role.driver in (None, "postgres"):
            assert key.dotted in keys
    shown = {key: value for key, value, _ in configure(env={"DATABASE_URL": PG}).explain()}
    assert shown["database.password"] is None
    shown = {key: value for key, value, _ in configure().explain()}
    assert shown["database.pool_max"] == 4
    assert "database.readers" not in shown


# --- the files of the project ------------------------------------------------------------------------------


def test_the_example_file_names_every_variable_and_both_its_databases_work() -> None:
    text = (Path(__file__).parent.parent / ".env.example").read_text("utf-8")
    named = {line.removeprefix("# ").partition("=")[0] for line in text.splitlines() if "=" in line}
    assert {key.variable for key in KEYS.values()} <= named
    assert configure(dotenv=text).driver == "sqlite"
    uncommented = "\n".join(
        line.removeprefix("# ") for line in text.splitlines() if line.startswith("# DATABASE_URL=postgresql://")
    )
    assert configure(dotenv=uncommented).driver == "postgres"


def test_loading_the_package_does_not_load_pydantic() -> None:
    code = "import sys, diglot.config; sys.exit('pydantic' in sys.modules or 'dotenv' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
