"""On PostgreSQL a restore needs no superuser: who owns the objects may replace them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import msgspec
import psycopg
import pytest

from diglot.errors import ConfigurationError, RestoreFailed
from diglot.ops.backup import backup
from diglot.ops.restore import restore
from diglot.stores.settings import PostgresSettings
from diglot.stores.url import parse_url
from tests.ops.backup.databases import NOW

OBJECTS = """
create type mood as enum ('calm', 'glad');
create type pair as (a integer, b text);
create domain positive as integer check (value > 0);
create table "Odd ""Name" (
    "Id" bigint generated always as identity primary key,
    mood mood default 'calm',
    pair pair,
    number positive,
    place vector(3)
);
create table parts (id integer, serial_id serial) partition by range (id);
create table parts_1 partition of parts for values from (0) to (100);
create table parents (id integer primary key, x integer, y integer);
create table children (more text) inherits (parents);
create function weight(mood) returns integer language sql as 'select 1';
create procedure rest() language sql as 'select 1';
create aggregate total(integer) (sfunc = int4pl, stype = integer, initcond = '0');
create function same(mood, mood) returns boolean language sql immutable as 'select true';
create operator ### (leftarg = mood, rightarg = mood, function = same);
create collation plain from "C";
create statistics together on x, y from parents;
create text search configuration words (copy = simple);
create view moods as select mood, weight(mood) from "Odd ""Name";
create materialized view counted as select count(*) from parents;
create sequence numbers;
insert into "Odd ""Name" (mood, number, place) values ('glad', 1, '[1,2,3]'), (null, 2, null);
insert into parts select generate_series(1, 50);
insert into parents values (1, 2, 3);
insert into children values (2, 3, 4, 'more');
"""


@pytest.fixture
def admin(postgres_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def role(admin: psycopg.Connection) -> Iterator[str]:
    """A role that may log in, and nothing else."""
    name = f"role_{uuid4().hex[:12]}"
    admin.execute(f"create role {name} login".encode())
    yield name
    admin.execute(f"drop owned by {name} cascade".encode())
    admin.execute(f"drop role {name}".encode())


@pytest.fixture
def settings(postgres_url: str, admin: psycopg.Connection, role: str) -> PostgresSettings:
    """The role's, on a database with an extension of a superuser; it may make schemas there, and objects in public."""
    admin.execute("create extension vector")
    admin.execute(f"grant create on schema public to {role}".encode())
    admin.execute(f"grant create on database {admin.info.dbname} to {role}".encode())
    found = parse_url(postgres_url)
    assert isinstance(found, PostgresSettings)
    found = msgspec.structs.replace(found, user=role, password=None)
    admin.execute(f"set role {role}".encode())
    admin.execute(OBJECTS.encode())
    admin.execute("reset role")
    return found


def test_a_role_that_owns_only_its_objects_replaces_them(
    settings: PostgresSettings, admin: psycopg.Connection, tmp_path: Path
) -> None:
    made = backup(settings, tmp_path / "app.backup", NOW)
    assert {name: content.rows for name, content in made.manifest.tables.items()} == {
        'Odd "Name': 2,
        "children": 1,
        "parents": 1,
        "parts": 50,
    }
    before = _objects(admin, "public")
    for _ in range(2):
        kept = restore(None, made.path, settings, replace=True).kept
        assert _objects(admin, "public") == before
        assert kept is not None
        assert _objects(admin, kept) == before - {"extension vector"}


def test_a_role_that_may_not_make_schemas_is_told_so(
    settings: PostgresSettings, admin: psycopg.Connection, role: str, tmp_path: Path
) -> None:
    made = backup(settings, tmp_path / "app.backup", NOW)
    admin.execute(f"revoke create on database {admin.info.dbname} from {role}".encode())
    with pytest.raises(RestoreFailed, match="permission denied for database"):
        restore(None, made.path, settings, replace=True)
    with pytest.raises(ConfigurationError, match="is not empty"):
        restore(None, made.path, settings)
    admin.execute(f"drop owned by {role} cascade".encode())
    admin.execute(f"grant create on schema public to {role}".encode())
    assert restore(None, made.path, settings).kept is None, "an empty schema needs no other"


def _objects(connection: psycopg.Connection, schema: str) -> set[str]:
    rows = connection.execute(
        """
        select o.type, coalesce(o.name, replace(o.identity, n.nspname || '.', ''))
        from pg_depend as d
        join pg_namespace as n on n.oid = d.refobjid and d.refclassid = 'pg_namespace'::regclass
        cross join lateral pg_identify_object(d.classid, d.objid, 0) as o
        where
            n.nspname = %s
            and not exists (
                select from pg_depend as e where e.classid = d.classid and e.objid = d.objid and e.deptype = 'e'
            )
        """,
        [schema],
    )
    return {f"{kind} {name}" for kind, name in rows}
