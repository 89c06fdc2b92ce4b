"""Which database is chosen, and how the sources are laid over one another."""

from __future__ import annotations

import pytest

from diglot.stores.settings import PostgresSettings, SQLiteSettings
from tests.statestore.config.configuring import CANARY, PG, configure, postgres, refusal, source_of, sqlite


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
