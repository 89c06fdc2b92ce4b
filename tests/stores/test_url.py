"""Addresses of databases: what each form means, what is refused, and that no password ever shows."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from diglot.errors import ConfigurationError
from diglot.stores.settings import PostgresSettings, SQLiteSettings
from diglot.stores.url import parse_conninfo, parse_url

CANARY = "s3cr3t-c4n4ry"


def pg(**fields: Any) -> PostgresSettings:
    return PostgresSettings(**fields)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://", pg()),
        ("postgres://db", pg(host="db")),
        ("POSTGRESQL://db/app", pg(host="db", dbname="app")),
        ("postgresql://ada:pw@db:6432/app", pg(user="ada", password="pw", host="db", port=6432, dbname="app")),
        ("postgresql://ada@/app?host=/run/postgresql", pg(user="ada", dbname="app", host="/run/postgresql")),
        ("postgresql://%2Frun%2Fpg/app", pg(host="/run/pg", dbname="app")),
        ("postgresql://ad%40a:p%3Aw%2F%25@db/a%20b", pg(user="ad@a", password="p:w/%", host="db", dbname="a b")),
        ("postgresql://ada:a:b@db", pg(user="ada", password="a:b", host="db")),
        ("postgresql://ada@example.org:pw@db", pg(user="ada@example.org", password="pw", host="db")),
        ("postgresql://:pw@db", pg(password="pw", host="db")),
        ("postgresql://[::1]:5433/app", pg(host="::1", port=5433, dbname="app")),
        ("postgresql://[fe80::1%25eth0]/app", pg(host="fe80::1%eth0", dbname="app")),
        ("postgresql://a:6000,b:6000/app", pg(host="a,b", port=6000, dbname="app")),
        ("postgresql://db:/app", pg(host="db", dbname="app")),
        ("postgresql:///app?user=ada&password=p%26w&port=1", pg(dbname="app", user="ada", password="p&w", port=1)),
        ("postgresql://db/app?sslmode=verify-ca", pg(host="db", dbname="app", ssl_mode="verify-ca")),
        (
            "postgresql://db?connect_timeout=3&application_name=x",
            pg(host="db", connect_timeout=3.0, application_name="x"),
        ),
        ("postgresql://db?sslrootcert=/ca.pem", pg(host="db", options={"sslrootcert": "/ca.pem"})),
        ("postgresql://db/app?host=db&dbname=app", pg(host="db", dbname="app")),
        ("postgresql://zoë:ß@db", pg(user="zoë", password="ß", host="db")),
    ],
    ids=str,
)
def test_a_postgresql_url_is_read(url: str, expected: PostgresSettings) -> None:
    assert parse_url(url) == expected
    assert parse_conninfo(url) == expected


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite://:memory:", ":memory:"),
        ("sqlite:///:memory:", ":memory:"),
        (":memory:", ":memory:"),
        ("sqlite:///app.db", "app.db"),
        ("SQLite:///data/app.db", "data/app.db"),
        ("sqlite:////srv/app.db", "/srv/app.db"),
        ("sqlite:///a%20b%3F%23%25.db", "a b?#%.db"),
        ("sqlite:///file:app.db", "./file:app.db"),
        ("file:app.db", "app.db"),
        ("file:/srv/app.db", "/srv/app.db"),
        ("file:///srv/app.db", "/srv/app.db"),
        ("file://localhost/srv/a%20b.db", "/srv/a b.db"),
        ("app.db", "app.db"),
        ("/srv/app.db", "/srv/app.db"),
        ("./data/100%?#.db", "./data/100%?#.db"),
        ("./ada:x@db/app", "./ada:x@db/app"),
        ("sqlite/app.db", "sqlite/app.db"),
        ("c:app.db", "c:app.db"),
        ("host", "host"),
    ],
)
def test_a_sqlite_address_is_read(url: str, path: str) -> None:
    assert parse_url(url) == SQLiteSettings(path=path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("host=db", pg(host="db")),
        (" host = db  user='a da' password='p\\'w' ", pg(host="db", user="a da", password="p'w")),
        (
            "dbname=app sslmode=require target_session_attrs=primary",
            pg(dbname="app", ssl_mode="require", options={"target_session_attrs": "primary"}),
        ),
    ],
    ids=str,
)
def test_a_connection_string_is_read(text: str, expected: PostgresSettings) -> None:
    assert parse_conninfo(text) == expected


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://db/app", "unsupported database scheme 'mysql': use postgresql://, postgres://, sqlite://"),
        ("postgresql+psycopg://db/app", "unsupported database scheme 'postgresql+psycopg'"),
        ("postgresql://db:port/app", "a port of 1 to 65535"),
        ("postgresql://db:0/app", "from 1 to 65535"),
        ("postgresql://db:65536/app", "from 1 to 65535"),
        ("postgresql://db:99999999999999999999/app", "from 1 to 65535"),
        ("postgresql://a:1,b:2/app", "different ports"),
        ("postgresql://db/app?colour=red", "unknown parameter 'colour' for PostgreSQL: use one of application_name"),
        ("postgresql://db/app?sslmode=maybe", "sslmode is not valid: use one of disable"),
        ("postgresql://db/app?connect_timeout=soon", "the connect_timeout of the PostgreSQL address must be a number"),
        ("postgresql://db/app?user=a&user=a", "says 'user' twice"),
        ("postgresql://db/app?host=other", "has 'host' twice, with different values"),
        ("postgresql://db/app?sslmode", "write ?name=value"),
        ("postgresql://db/app#x", "write it as %23"),
        ("postgresql://db/a/b", "'/' as %2F"),
        ("postgresql://db/%zz", "the dbname of the address has a '%'"),
        ("postgresql://db/%ff", "the dbname of the address is not UTF-8"),
        ("postgresql://db/a%00b", "the dbname of the PostgreSQL address has a control character"),
        ("postgresql://db/a%0Ab", "the dbname of the PostgreSQL address has a control character"),
        ("postgresql:db", "looks like an address"),
        ("sqlite:app.db", "looks like an address"),
        ("host=db dbname=app", "use the setting conn_string for it"),
        ("sqlite://app.db", "sqlite:///app.db (three slashes)"),
        ("sqlite://", "names no file: use sqlite:///data/app.db, or sqlite:///:memory:"),
        ("sqlite:///", "names no file: use sqlite:///data/app.db, or sqlite:///:memory:"),
        ("SQLITE:///", "names no file"),
        ("sqlite:////", "names no file"),
        ("sqlite:///%20", "names no file"),
        ("sqlite:///%3Amemory%3A", "names no file"),
        ("file::memory:", "names no file"),
        ("sqlite:///~nobody-of-this-name/app.db", "has a '~' that can't be expanded"),
        ("~nobody-of-this-name/app.db", "there is no home folder of '~nobody-of-this-name' ('./~…' for that name)"),
        ("sqlite:////~/app.db", "has a '~' that is not at its start"),
        ("file:/~ada/app.db", "has a '~' that is not at its start"),
        ("data/~/app.db", "has a '~' that is not at its start"),
        ("sqlite:///app.db?mode=ro", "has the parameter 'mode', but takes no parameters"),
        ("file:app.db?vfs=unix-none", "has the parameter 'vfs', but takes no parameters"),
        ("file:app.db?", "has a '?', but takes no parameters"),
        ("file:app.db#x", "write it as %23"),
        ("file://server/share/app.db", "names a host"),
        ("file:", "names no file"),
        ("", "names no file"),
        ("data/", "names no file"),
        ("sqlite:///data/", "names no file"),
        ("../app.db", "'..' segment"),
        ("sqlite:///data/%2e%2e/app.db", "'..' segment"),
        ("file:/srv/../app.db", "'..' segment"),
        ("a\0b.db", "control character"),
        ("sqlite:///a%00b.db", "control character"),
        ("a\nb.db", "control character"),
        ("file:a%0ab.db", "control character"),
        ("sqlite:///%ff.db", "not UTF-8"),
        ("sqlite:///50%.db", "write %25"),
    ],
    ids=repr,
)
def test_an_address_that_is_not_right_is_refused_with_what_to_write(url: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse_url(url)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "can't be read"),
        ("host", "can't be read"),
        ("host='db", "can't be read"),
        ("host=d\0b", "can't be read"),
        ("colour=red", "can't be read"),
        ("sqlite:///app.db", "can't be read"),
        ("host=db service=x", "unknown parameter 'service'"),
        ("host=db port=x", "the port of the PostgreSQL address"),
        ("dbname=postgresql://db", "is an address itself"),
    ],
    ids=repr,
)
def test_a_connection_string_that_is_not_right_is_refused(text: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse_conninfo(text)
    assert says in str(refused.value)


# Shapes in which a password is typed, right or wrong; the driver shows it for the first three.
SHAPES = [
    "postgresql://ada:{}@db:port/app",
    "postgresql://ada:{}@[::1/app",
    "postgresql://ada:{}%zz@db/app",
    "postgresql://ada:{}@db:99999/app",
    "postgresql://ada:{}@db/app?sslmode=maybe",
    "postgresql://ada:{}@db/app?no_such=1",
    "postgresql://ada:{}@db/app?password={}x",
    "postgresql://ada:{}@db/app?password={}&password={}",
    "postgresql://ada:{}@db/app?sslmode={}",
    "postgresql://ada:{}@db/app?connect_timeout={}",
    "postgresql://ada:{}@db/app?port={}",
    "postgresql://ada:{}@db/app?{}",
    "postgresql://ada:{}@db/app?{}=1",
    "postgresql://ada:{}@db/app#{}",
    "postgresql://ada:{}/x@db/app",
    "postgresql://ada:{}?x=1@db/app",
    "postgresql://ada:x?{}=1@db/app",
    "postgresql://ada:x?secret_word={}@db/app",
    "postgresql://ada:x#{}@db/app",
    "postgresql://ada:x/{}@db/app",
    "postgresql://ada:{}@db/a\0b",
    "postgresql://ada:{}@db/a\nb",
    "postgresql://ada:{}\n@db/app",
    "postgresql://ada:{}%00@db/app",
    "postgresql://ada:{}%ff@db/app",
    "postgresql://ada:{}\udcff@db/app",
    "postgresql://ada:{}",
    "postgresql://ada:{}@a:1,b:2/app",
    "postgresql//ada:{}@db/app",
    "postgresql:/ada:{}@db/app",
    "postgresql:ada:{}@db/app",
    " postgresql://ada:{}@db/app",
    "postgresql ://ada:{}@db/app",
    "postgresql+psycopg://ada:{}@db/app",
    "mysql://ada:{}@db/app",
    "sqlite://ada:{}@db/app",
    "file://ada:{}@db/app",
    "://ada:{}@db/app",
    "//ada:{}@db/app",
    "ada:{}@db/app",
    "ada:{}/x@db/app",
    "host=db password={}",
    "host=db password='{}",
    "host=db {}",
    "host=db password=x {}=1",
    "host=db password=x dbname=postgresql://ada:{}@db",
    "password={} port=x",
]


@pytest.mark.parametrize("shape", SHAPES, ids=ascii)
@pytest.mark.parametrize("parse", [parse_url, parse_conninfo])
def test_no_error_shows_the_password(parse: Any, shape: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        assert not isinstance(parse(shape.replace("{}", CANARY)), SQLiteSettings), "a path would be made of it"
        raise ConfigurationError("read")
    error: BaseException | None = refused.value
    assert CANARY not in "".join(traceback.format_exception(refused.value))
    while error is not None:
        assert CANARY not in f"{error!s} {error!r} {error.__dict__}"
        error = error.__cause__ or error.__context__


def test_a_password_is_in_no_repr_of_the_settings() -> None:
    settings = parse_url(f"postgresql://ada:{CANARY}@db/app?sslpassword={CANARY}")
    assert settings.password == CANARY  # type: ignore[union-attr]
    assert CANARY not in f"{settings!r} {settings}"
