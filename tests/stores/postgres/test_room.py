"""When writes fail for lack of room, the error and the health say so; both are good again when there is room."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from psycopg.sql import SQL, Identifier, Literal

from diglot.errors import DatabaseError, DatabaseFull, DatabaseIOError
from diglot.stores.postgres import health as module
from diglot.stores.postgres.store import PostgresStore, open_postgres
from diglot.stores.session import Check, Statement
from diglot.stores.url import parse_url

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


@pytest.fixture
def small_disk(postgres_url: str) -> Iterator[tuple[str, Path]]:
    """The URL of a database on a file system of 32 MiB, and its folder."""
    server = Path(parse_qs(urlsplit(postgres_url).query).get("host", [""])[0])
    if os.geteuid() != 0 or not server.is_dir():
        pytest.skip("only root, on the server's own machine, can make a small disk")
    name = f"small_{uuid.uuid4().hex}"
    disk = server / name
    disk.mkdir()
    owner = server.stat()
    options = f"size=32m,uid={owner.st_uid},gid={owner.st_gid},mode=700"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, name, str(disk)], check=False).returncode != 0:
        disk.rmdir()
        pytest.skip("this machine lets nobody mount")
    try:
        with psycopg.connect(postgres_url, autocommit=True) as admin:
            dbname = admin.info.dbname
            admin.execute(SQL("create tablespace {} location {}").format(Identifier(name), Literal(str(disk))))
            try:
                admin.execute(SQL("create database {0} template template0 tablespace {0}").format(Identifier(name)))
                yield postgres_url.replace(f"/{dbname}?", f"/{name}?"), disk
            finally:
                admin.execute(SQL("drop database if exists {} with (force)").format(Identifier(name)))
                (disk / "ballast").unlink(missing_ok=True)
                admin.execute(SQL("drop tablespace {}").format(Identifier(name)))
    finally:
        subprocess.run(["umount", str(disk)], check=True)
        disk.rmdir()


def test_a_full_disk(small_disk: tuple[str, Path]) -> None:
    url, disk = small_disk
    with open_postgres(parse_url(url)) as store:
        store.script(Statement("test.make", "create table t (x text)", writes=True))
        store.count(INSERT)
        assert writable(store).ok
        free, ballast = os.statvfs(disk), disk / "ballast"
        ballast.write_bytes(bytes(free.f_bavail * free.f_bsize))
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
        assert store.statistics()["postgres_connections_lost_total"] == 0


def test_a_role_that_may_not_try_it_says_so_until_the_failure_is_old(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
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
                monkeypatch.setattr(module, "REMEMBERED", 0.0)
                assert writable(store).ok
        finally:
            admin.execute(SQL("drop role {}").format(Identifier(role)))
