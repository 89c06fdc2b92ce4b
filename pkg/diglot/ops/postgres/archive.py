"""Writes a pg_dump archive, counts its rows, and runs it on a connection."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import psycopg

from diglot.errors import BackupFailed, RestoreFailed
from diglot.ops.postgres.programs import Programs, die_with_parent, failure
from diglot.ops.progress import Report, Step

_BLOCK = 256 * 1024
_MINUTE = 60.0


@contextmanager
def dumping(
    programs: Programs, file: Path, schema: str, snapshot: str, variables: Mapping[str, str], report: Report
) -> Iterator[None]:
    """Runs pg_dump during the block, and waits for it at the end. Raises BackupFailed.

    ``schema`` is quoted; ``variables`` say where the database is.
    """
    options = [
        *("--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", f"--schema={schema}"),
        *("--extension=*", f"--file={file}", "--no-password"),
    ]
    with _running(programs, "pg_dump", options, variables) as process:
        yield
        report(Step("waiting for pg_dump", 0, None))
        _, said = process.communicate()
        if process.returncode:
            raise BackupFailed(failure("pg_dump", process.returncode, said))


def count_rows(programs: Programs, archive: Path, report: Report) -> dict[str, int]:
    """How many rows of each table are in the archive of a schema. Reads the whole archive.

    Raises BackupFailed if pg_restore can't read it.
    """
    found: dict[str, int] = {}
    options = ["--file=-", "--data-only", str(archive)]
    with _running(programs, "pg_restore", options, None, subprocess.PIPE) as reading:
        assert reading.stdout is not None  # noqa: S101 - requested above
        for line in reading.stdout:
            if line.startswith(b"COPY ") and line.endswith(b" FROM stdin;\n"):
                name = _table(line)
                report(Step(f"{name}: checking the archive", 0, None))
                found[name] = found.get(name, 0) + sum(1 for _ in _rows(reading.stdout))
        _, said = reading.communicate()
        if reading.returncode:
            raise BackupFailed(failure("pg_restore", reading.returncode, said))
    return found


def _rows(lines: IO[bytes]) -> Iterator[bytes]:
    """The rows after a COPY."""
    for line in lines:
        if line == b"\\.\n":
            return
        yield line


def _table(command: bytes) -> str:
    """``COPY public.t (a, b) FROM stdin;``: the table's name."""
    found = _COPIED.match(command)
    name = found[1].decode(errors="replace") if found else ""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


_NAME = rb'(?:"(?:[^"]|"")*"|[^". ]+)'
_COPIED = re.compile(rb"COPY " + _NAME + rb"\.(" + _NAME + rb") ")


def load(connection: psycopg.Connection[Any], programs: Programs, archive: Path, report: Report) -> None:
    """Run the archive in the connection's transaction, in an existing, empty schema. Raises RestoreFailed."""
    contents = archive.with_name(f"{archive.name}-wal")  # removed with the archive
    contents.write_bytes(b"".join(_wanted(_contents(programs, archive))))
    path = connection.execute("select current_setting('search_path')").fetchall()[0][0]
    for section in ("pre-data", "data", "post-data"):
        options = ["--file=-", "--no-owner", "--no-privileges", f"--section={section}", f"--use-list={contents}"]
        report(Step(f"restoring: {section}", 0, None))
        with _running(programs, "pg_restore", [*options, str(archive)], None, subprocess.PIPE) as reading:
            assert reading.stdout is not None  # noqa: S101 - requested above
            _run_script(connection, reading.stdout, has_rows=section == "data", report=report)
            _, said = reading.communicate()
            if reading.returncode:
                raise RestoreFailed(failure("pg_restore", reading.returncode, said))
    connection.execute("select set_config('search_path', %s, false)", [path])


@contextmanager
def _running(
    programs: Programs, name: str, options: list[str], variables: Mapping[str, str] | None, stdout: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs one of PostgreSQL's programs; it ends with the block or with this process."""
    process = subprocess.Popen(
        [programs.path(name), *options],
        stdin=subprocess.DEVNULL,
        stdout=stdout if stdout is not None else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=variables,
        preexec_fn=die_with_parent,
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


def _contents(programs: Programs, archive: Path) -> list[bytes]:
    with _running(programs, "pg_restore", ["--list", str(archive)], None, subprocess.PIPE) as reading:
        out, said = reading.communicate()
        if reading.returncode:
            raise RestoreFailed(failure("pg_restore", reading.returncode, said))
    return out.splitlines(keepends=True)


def _wanted(lines: list[bytes]) -> Iterator[bytes]:
    """The archive's list of contents without the schema, which already exists, and without the comments on
    extensions, which only their owners may write."""
    yield from (line for line in lines if not _LEFT_OUT.match(line))


_LEFT_OUT = re.compile(rb"\d+; \d+ \d+ (SCHEMA|COMMENT - SCHEMA|COMMENT - EXTENSION) ")


def _run_script(connection: psycopg.Connection[Any], lines: IO[bytes], *, has_rows: bool, report: Report) -> None:
    """Run what pg_restore writes for psql: statements, and rows after each COPY. Skips lines for psql itself."""
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
    table = _table(command)
    done = 0
    with connection.cursor() as cursor, cursor.copy(command.rstrip().removesuffix(b";")) as copy:
        block: list[bytes] = []
        size = 0
        for line in _rows(lines):
            block.append(line)
            size += len(line)
            if size >= _BLOCK:
                copy.write(b"".join(block))
                done += len(block)
                report(Step(f"{table}: restoring", done, None))
                block, size = [], 0
        copy.write(b"".join(block))
