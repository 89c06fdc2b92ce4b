"""When writes fail for lack of room, the error and the health say so; both are good again when there is room."""

from __future__ import annotations

import errno
import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier, Literal

from diglot.errors import DatabaseError, DatabaseFull, DatabaseIOError
from diglot.sql.session import Statement
from diglot.stores.postgres import health as module
from diglot.stores.postgres.store import PostgresStore, open_postgres
from diglot.stores.store import Check
from diglot.stores.url import parse_url
from tests.databases import EXTERNAL, POSTGRES_PARAMS
from tests.postgres_server import PostgresServer

INSERT = Statement("test.insert", "insert into t select repeat('x', 1900) from generate_series(1, 200)", writes=True)
COUNT = Statement("test.count", "select count(*) from t")


def failing(state: str) -> Statement:
    text: Any = f"do $$ begin raise exception using errcode = '{state}'; end $$"
    return Statement("test.failing", text, writes=True)


def writable(store: PostgresStore) -> Check:
    health = store.health()
    [found] = [check for check in health.checks if check.name == "writable"]
    assert health.ok == found.ok
    return found


@pytest.fixture(params=POSTGRES_PARAMS)
def small_disk(
    request: pytest.FixtureRequest, own_postgres: Callable[[int], PostgresServer]
) -> Iterator[tuple[str, Path]]:
    """The URL of a database on a file system of 32 MiB, and its folder.

    On a server of its own: while the disk is full, no checkpoint succeeds, and nobody can make a database there.
    """
    if os.geteuid() != 0 or EXTERNAL:
        pytest.skip("only root, on the server's own machine, can make a small disk")
    server = own_postgres(int(request.param.removeprefix("postgres-")))
    disk, owner = server.folder / "small", server.folder.stat()
    disk.mkdir()
    options = f"size=32m,uid={owner.st_uid},gid={owner.st_gid},mode=700"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "small", str(disk)], check=False).returncode != 0:
        pytest.skip("this machine lets nobody mount")
    try:
        with psycopg.connect(server.url(), autocommit=True) as admin:
            admin.execute(SQL("create tablespace small location {}").format(Literal(str(disk))))
            admin.execute("create database small template template0 tablespace small")
        yield server.url("small"), disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)  # the server has files open there until it stops


def _fill(ballast: Path) -> None:
    """Take all the room there is. The server writes meanwhile, so that asking how much there is does not tell."""
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError as error:
            assert error.errno == errno.ENOSPC


def test_a_full_disk(small_disk: tuple[str, Path]) -> None:
    url, disk = small_disk
    with open_postgres(parse_url(url)) as store:
        store.script(Statement("test.make", "create table t (x text)", writes=True))
        store.count(INSERT)
        assert writable(store).ok
        ballast = disk / "ballast"
        _fill(ballast)
        with pytest.raises(DatabaseFull, match=r"disk_full \(53100\)"):
            store.count(INSERT)
        assert (writable(store).ok, store.rows(COUNT)) == (False, [(200,)])
        assert "disk_full (53100)" in writable(store).detail
        ballast.unlink()
        assert (writable(store).ok, writable(store).detail) == (True, "a primary that takes writes")
        with store.transaction() as tx:
            tx.count(INSERT)
        assert store.rows(COUNT) == [(400,)]


@pytest.mark.parametrize(("state", "kind"), [("53100", DatabaseFull), ("58030", DatabaseIOError)])
@pytest.mark.parametrize("where", ["alone", "transaction"])
def test_after_a_failure_a_write_is_tried_and_leaves_nothing(
    state: str, kind: type[DatabaseError], where: str, postgres_url_of_module: str
) -> None:
    with open_postgres(parse_url(postgres_url_of_module)) as store:
        with pytest.raises(kind):
            if where == "alone":
                store.count(failing(state))
            else:
                with store.transaction() as tx:
                    tx.count(failing(state))
        assert (writable(store).ok, store.rows(Statement("t", "select to_regclass('pg_temp.diglot_room')"))) == (
            True,
            [(None,)],
        )
        assert store.statistics()["database_connections_lost_total"] == 0


def test_a_role_that_may_not_try_it_says_so_until_the_failure_is_old(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        dbname, role = admin.info.dbname, f"plain_{uuid.uuid4().hex}"
        admin.execute(SQL("revoke temporary on database {} from public").format(Identifier(dbname)))
        admin.execute(SQL("create role {} login").format(Identifier(role)))
        try:
            with open_postgres(parse_url(postgres_url.replace("//postgres@", f"//{role}@"))) as store:
                with pytest.raises(DatabaseFull):
                    store.count(failing("53100"))
                assert "disk_full (53100)" in writable(store).detail
                assert not writable(store).ok
                assert module.health(store._calls, remembered=0.0).ok
        finally:
            admin.execute(SQL("drop role {}").format(Identifier(role)))
