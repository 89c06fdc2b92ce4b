"""The schema of a PostgreSQL database into an archive of pg_dump, and back in one transaction."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import psycopg

from diglot.errors import BackupDamaged, BackupFailed, ConfigurationError, RestoreFailed
from diglot.migrate.status import read_applied
from diglot.ops.content import all_fields, read_content
from diglot.ops.manifest import AppliedMigration, Manifest, copy_data
from diglot.ops.postgres.loading import PostgresLoad
from diglot.ops.postgres.programs import Programs, environment, failure, fitting
from diglot.ops.private_files import sync, temporary_file
from diglot.ops.progress import Report, Step
from diglot.ops.settings import patient
from diglot.ops.statements import statement
from diglot.schema.read import read_within
from diglot.sql.identifiers import quoted
from diglot.stores import open_store
from diglot.stores.postgres.errors import translate
from diglot.stores.postgres.store import PostgresStore
from diglot.stores.session import Session, Store
from diglot.stores.settings import PostgresSettings

_LOCK_TIMEOUT = 60.0
_BLOCK = 256 * 1024
_MINUTE = 60.0


def dump(store: PostgresStore, file: Path, now: datetime, report: Report) -> Manifest:
    """Write the connection's schema into this empty file; its manifest, without size and digest.

    pg_dump and the manifest read the same snapshot, at the same time.
    """
    programs = _fitting(store)
    with store.snapshot() as snapshot:
        ((name, schema),) = snapshot.rows(statement("postgres", "export_snapshot"))
        options = [
            *("--format=custom", "--no-owner", "--no-privileges", f"--snapshot={name}", f"--schema={quoted(schema)}"),
            *("--extension=*", f"--file={file}", "--no-password"),
        ]
        with environment(store.settings) as variables, _running(programs, "pg_dump", options, variables) as dumping:
            manifest = _described(snapshot, store, now, schema, report)
            report(Step("waiting for pg_dump", 0, None))
            _, said = dumping.communicate()
            if dumping.returncode:
                raise failure("pg_dump", dumping.returncode, said)
    sync(file)
    return manifest


def _fitting(store: Store) -> Programs:
    version = int(re.findall(r"\d+", store.server_version)[0])
    programs = fitting(version)
    if programs is None:
        raise BackupFailed(
            f"there is no pg_dump {version} or newer on this machine for {store.server_version}: install it "
            f"(postgresql-client-{version}), or export the database with 'diglot export'"
        )
    return programs


@contextmanager
def _running(
    programs: Programs, name: str, options: list[str], variables: Any, stdout: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """One of PostgreSQL's programs; it ends with the block."""
    process = subprocess.Popen(
        [programs.path(name), *options],
        stdin=subprocess.DEVNULL,
        stdout=stdout if stdout is not None else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=variables,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        process.wait(_MINUTE)


def _described(session: Session, store: Store, now: datetime, schema: str, report: Report) -> Manifest:
    return Manifest(
        created_at=now,
        dialect="postgres",
        form="pg_dump",
        engine=store.server_version,
        schema=schema,
        migrations=[AppliedMigration(one.id, one.sha256) for one in read_applied(session.rows, "postgres")],
        tables=read_content(session, all_fields(read_within(session, store.location)), report),
        size=0,
        sha256="",
    )


# --- back again --------------------------------------------------------------------------------------------


def verify(path: Path, manifest: Manifest, server: PostgresSettings, scratch: Path, report: Report) -> None:
    """Restore into an empty database and compare. BackupDamaged, RestoreFailed."""
    _restore(path, manifest, server, scratch / "verify", replace=False, report=report)


def restore(
    path: Path, manifest: Manifest, settings: PostgresSettings, scratch: Path, *, replace: bool, report: Report
) -> str | None:
    """Make the schema of the backup in one transaction; the name under which the old one is kept, or None.

    BackupDamaged, RestoreFailed, ConfigurationError where there is something already; the database is as it was.
    """
    return _restore(path, manifest, settings, scratch / "restore", replace=replace, report=report)


def _restore(
    path: Path, manifest: Manifest, settings: PostgresSettings, scratch: Path, *, replace: bool, report: Report
) -> str | None:
    with temporary_file(scratch) as archive:
        with archive.open("wb") as target:
            copy_data(path, manifest, target, lambda done: report(Step("reading", done, manifest.size, "bytes")))
        with open_store(patient(settings)) as store:
            programs = _fitting(store)
            with store.migration_connection(_LOCK_TIMEOUT) as connection:
                try:
                    with connection.transaction():
                        aside = _make_way(connection, manifest, store, replace=replace)
                        _load(connection, programs, archive, report)
                        _compare(connection, store, path, manifest, report)
                except psycopg.Error as error:
                    raise RestoreFailed(f"{path} can't be restored: {translate(error, None)}") from error
    return aside


def _make_way(connection: psycopg.Connection[Any], manifest: Manifest, store: Store, *, replace: bool) -> str | None:
    """Give the old schema another name, once nobody uses its tables."""
    name = manifest.schema or "public"
    with psycopg.RawCursor(connection) as cursor:
        tables = [row[0] for row in cursor.execute(_text("tables_of_schema"), (name,)).fetchall()]
        if not tables:
            connection.execute(f"create schema if not exists {quoted(name)}".encode())
            return None
        if not replace:
            raise ConfigurationError(
                f"{store.location} is not empty (it has {tables[0]}): "
                "restore with --replace, which keeps what is there under another name"
            )
        listed = ", ".join(f"{quoted(name)}.{quoted(table)}" for table in tables)
        connection.execute(f"lock table {listed} in access exclusive mode".encode())
        aside = cursor.execute(_text("free_schema_name"), (name,)).fetchall()[0][0]
        extensions = [row[0] for row in cursor.execute(_text("extensions_of_schema"), (name,)).fetchall()]
        connection.execute(f"alter schema {quoted(name)} rename to {quoted(aside)}".encode())
        connection.execute(f"create schema {quoted(name)}".encode())
        for extension in extensions:
            connection.execute(f"alter extension {quoted(extension)} set schema {quoted(name)}".encode())
    return str(aside)


def _text(name: str) -> bytes:
    return statement("postgres", name).text.encode()


def _load(connection: psycopg.Connection[Any], programs: Programs, archive: Path, report: Report) -> None:
    contents = archive.with_name(f"{archive.name}-wal")  # removed with the archive
    contents.write_bytes(b"".join(_without_schemas(_output(programs, ["--list", str(archive)]))))
    path = connection.execute("select current_setting('search_path')").fetchall()[0][0]
    for section in ("pre-data", "data", "post-data"):
        options = ["--file=-", "--no-owner", "--no-privileges", f"--section={section}", f"--use-list={contents}"]
        report(Step(f"restoring: {section}", 0, None))
        with _running(programs, "pg_restore", [*options, str(archive)], None, subprocess.PIPE) as reading:
            assert reading.stdout is not None  # noqa: S101 - it was asked for
            _run_script(connection, reading.stdout, has_rows=section == "data", report=report)
            _, said = reading.communicate()
            if reading.returncode:
                raise RestoreFailed(str(failure("pg_restore", reading.returncode, said)))
    connection.execute("select set_config('search_path', %s, false)", [path])


def _output(programs: Programs, options: list[str]) -> list[bytes]:
    with _running(programs, "pg_restore", options, None, subprocess.PIPE) as reading:
        out, said = reading.communicate()
        if reading.returncode:
            raise BackupDamaged(str(failure("pg_restore", reading.returncode, said)))
    return out.splitlines(keepends=True)


def _without_schemas(lines: list[bytes]) -> Iterator[bytes]:
    """The archive's list of contents without the schema itself, which is there already."""
    yield from (line for line in lines if not re.match(rb"\d+; \d+ \d+ (SCHEMA|COMMENT - SCHEMA) ", line))


def _run_script(connection: psycopg.Connection[Any], lines: IO[bytes], *, has_rows: bool, report: Report) -> None:
    """Run what pg_restore writes for psql: statements, and rows after each COPY. Lines for psql itself are left out."""
    statements: list[bytes] = []
    for line in lines:
        if line.startswith((b"\\restrict ", b"\\unrestrict ")) or _TIMEOUT.match(line):
            continue
        if has_rows and line.startswith(b"COPY ") and line.endswith(b" FROM stdin;\n"):
            _run(connection, statements)
            _copy_rows(connection, line, lines, report)
        else:
            statements.append(line)
    _run(connection, statements)


_TIMEOUT = re.compile(rb"SET \w+_timeout = 0;")
"""Our session has its own; an older server does not know all of them."""


def _run(connection: psycopg.Connection[Any], statements: list[bytes]) -> None:
    text = b"".join(statements)
    statements.clear()
    if text.strip():
        connection.execute(text)


def _copy_rows(connection: psycopg.Connection[Any], command: bytes, lines: IO[bytes], report: Report) -> None:
    table = command.split(b" ", 2)[1].decode(errors="replace")
    done = 0
    with connection.cursor() as cursor, cursor.copy(command.rstrip().removesuffix(b";")) as copy:
        block: list[bytes] = []
        size = 0
        for line in lines:
            if line == b"\\.\n":
                break
            block.append(line)
            size += len(line)
            if size >= _BLOCK:
                copy.write(b"".join(block))
                done += len(block)
                report(Step(f"{table}: restoring", done, None))
                block, size = [], 0
        copy.write(b"".join(block))


def _compare(connection: psycopg.Connection[Any], store: Store, path: Path, manifest: Manifest, report: Report) -> None:
    """BackupDamaged where what was restored is not what the manifest says."""
    session = PostgresLoad(connection)
    connection.execute(f"set local search_path to {quoted(manifest.schema or 'public')}".encode())
    applied = [AppliedMigration(one.id, one.sha256) for one in read_applied(session.rows, "postgres")]
    if applied != manifest.migrations:
        raise BackupDamaged(f"{path} is damaged: its schema is of another version than its manifest says")
    found = read_content(session, all_fields(read_within(session, store.location)), report)
    for name in sorted({*found, *manifest.tables}):
        if found.get(name) != manifest.tables.get(name):
            raise BackupDamaged(f"{path} is damaged: the table {name} is not as its manifest says")
