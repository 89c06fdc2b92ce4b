"""Whether migrations can be trusted: paired, reversible, unedited, and safe for those who use the tables.

Both trees have the same migrations; each can be rolled back, and up, down, up gives the same schema, tried on an empty
database; none was edited since it was recorded in ``checksums.sha256`` (if that file exists); each that loses data or
locks tables says why that is right.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from diglot.check.finding import Finding
from diglot.check.unsafe import unsafe
from diglot.errors import MigrationError, MigrationFailed, MigrationTreeError
from diglot.migrate.layouts import ID, Timestamped, UpDown
from diglot.migrate.tree import Migration, MigrationTree
from diglot.migrate.trial import LOCK_WAIT, apply, roll_back
from diglot.project import Project
from diglot.schema.objects import difference, objects
from diglot.sql.misread import carriage_returns
from diglot.sql.scanner import position, tokens
from diglot.sql.session import Dialect
from diglot.sql_folder import read_folder
from diglot.stores.store import Store
from diglot.text_file import NotText, decoded, normalised_bytes, shown

CHECK = "migrations"
CHECKSUMS = "checksums.sha256"
_PLACE = re.compile(
    r"(?P<path>[^:\n]+\.(?:\w*sql\w*|ddl|dml|py)(?:\.\w+)*):(?:(?P<line>\d+):)?(?:(?P<column>\d+):)? (?P<message>.*)",
    re.DOTALL | re.IGNORECASE,
)
_LINE = re.compile(r"(?P<sha256>[0-9a-f]{64})  (?P<file>\S+)")
_OTHER: dict[Dialect, Dialect] = {"postgres": "sqlite", "sqlite": "postgres"}


def check_migrations(project: Project, postgres: Store | None, sqlite: Store | None) -> list[Finding]:
    """The findings about the project's migrations. The databases are empty, and migrated when it returns."""
    findings: list[Finding] = []
    folders: dict[Dialect, MigrationTree] = {}
    for dialect in project.dialects:
        folder = project.migration_folder(dialect)
        try:
            folders[dialect] = MigrationTree.scan(folder, dialect)
        except MigrationTreeError as error:
            findings.append(_of_error(error, folder))
    for store in (postgres, sqlite):
        read = folders.get(store.dialect) if store is not None else None
        if store is None or read is None:
            continue
        in_files = [*_files(read, folders.get(_OTHER[store.dialect])), *_statements(read)]
        if not in_files:
            in_files = list(_runners_rules(project.migration_folder(store.dialect), read))
        findings += in_files
        findings += _there_and_back(store, read)
    return findings + list(check_checksums(project))


# --- the files ---------------------------------------------------------------------------------------------


def _files(tree: MigrationTree, other: MigrationTree | None) -> Iterator[Finding]:
    for orphan in tree.orphans:
        yield _finding(orphan, 1, orphan, f"down migration without an up migration: {_up_of(tree, orphan)} is missing")
    for stray in tree.strays:
        yield _finding(stray.path, 1, Path(stray.path).name, stray.message)
    theirs = set(other.ids) if other is not None else set()
    numbers: dict[int, str] = {}
    ids = set(tree.ids)
    for migration in tree:
        if other is not None and migration.id not in theirs:
            message = f"only {tree.dialect} has this migration: write it for {other.dialect} under the same name"
            yield _finding(migration.file, 1, migration.id, message)
        if migration.rollback_file is None and tree.layout.down is not None:
            message = f"it has no down migration: write {migration.id}{tree.layout.down}"
            yield _finding(migration.file, 1, migration.id, message)
        for line, id in migration.depends_at:
            if id not in ids:
                yield _finding(migration.file, line, migration.id, f"depends on {id!r}, which is not in this folder")
        number = tree.layout.number(migration.id) if isinstance(tree.layout, UpDown) else None
        if number is not None:
            first = numbers.setdefault(number, migration.id)
            if first != migration.id:
                yield _finding(migration.file, 1, migration.id, f"{first} already has the number {number}")


def _up_of(tree: MigrationTree, orphan: str) -> str:
    return Path(orphan).name.removesuffix(tree.layout.down or "") + tree.layout.up


def _statements(tree: MigrationTree) -> Iterator[Finding]:
    for migration in tree:
        try:
            statements = migration.written()
        except MigrationTreeError as error:
            yield _of_error(error, Path(migration.file), migration.id)
        else:
            if not statements and not isinstance(tree.layout, Timestamped):  # whose own rules say so
                yield _finding(migration.file, 1, migration.id, "it contains no statement")
            for one in unsafe(migration.text, statements, tree.dialect):
                yield Finding(CHECK, migration.file, one.line, one.column, migration.id, one.message)
            yield from _carriage_returns(migration, migration.file, migration.text)
        try:
            migration.rollback_written()
        except MigrationTreeError as error:
            yield _of_error(error, Path(migration.rollback_file or migration.file), migration.id)
        else:
            yield from _carriage_returns(migration, migration.rollback_file or "", migration.rollback_text)


def _carriage_returns(migration: Migration, file: str, text: str) -> Iterator[Finding]:
    for offset, message in carriage_returns(tokens(text, file, migration.dialect)):
        line, column = position(text, offset)
        yield Finding(CHECK, file, line, column, migration.id, message)


def _runners_rules(path: Path, tree: MigrationTree) -> Iterator[Finding]:
    """What Diglot's own runner requires of a tree in Diglot's own layout."""
    if isinstance(tree.layout, Timestamped) and all(ID.match(id) for id in tree.ids):
        try:
            MigrationTree.read(path.parent, tree.dialect).check()
        except MigrationTreeError as error:
            yield _of_error(error, path)


# --- on the database ---------------------------------------------------------------------------------------


def _there_and_back(store: Store, tree: MigrationTree) -> Iterator[Finding]:
    """Each migration up, down and up again; the first that fails ends it, since the others need it."""
    with store.migration_connection(LOCK_WAIT) as connection:
        before = objects(connection, tree.dialect)
        for migration in tree:
            try:
                apply(connection, migration)
                after = objects(connection, tree.dialect)
                if migration.rollback_file is not None:
                    roll_back(connection, migration)
                    back = objects(connection, tree.dialect)
                    left = difference(before, back) if migration.nothing_to_undo is None else None
                    if left is not None:
                        message = f"rolling back does not restore the schema: {left}"
                        yield _finding(migration.rollback_file, 1, migration.id, message)
                        return
                    apply(connection, migration)
                    again = difference(after, objects(connection, tree.dialect))
                    if again is not None:
                        message = f"after up, down and up the schema differs from that after the first up: {again}"
                        yield _finding(migration.file, 1, migration.id, message)
            except MigrationFailed as error:
                yield _of_error(error, Path(migration.file), migration.id)
                return
            except MigrationTreeError:
                return  # the file can't be split into statements, which is already a finding
            before = after


# --- checksums ---------------------------------------------------------------------------------------------


def check_checksums(project: Project) -> Iterator[Finding]:
    """Files that differ from their recorded checksums; none if no checksums are recorded."""
    assert project.migrations is not None  # noqa: S101 - its folders were read
    book = project.migrations / CHECKSUMS
    if not book.exists():
        return
    recorded: dict[str, tuple[str, int]] = {}
    for number, line in enumerate(_lines(book), start=1):
        found = _LINE.fullmatch(line)
        if found is None:
            message = "not a line of sha256sum: write it again with 'diglot check --write-checksums'"
            yield Finding(CHECK, shown(book), number, 1, CHECKSUMS, message)
        elif found["file"].partition("/")[0] in project.dialects:
            recorded[found["file"]] = found["sha256"], number
    now = _checksums(project)
    for file, (sha256, number) in recorded.items():
        if file not in now:
            message = f"{file} is missing, but databases may have it: restore it, or remove it from {CHECKSUMS}"
            yield Finding(CHECK, shown(book), number, 1, file, message)
        elif now[file] != sha256:
            message = (
                "edited after it was recorded, but databases may have the old version: restore it and write a new "
                "migration, or accept it with 'diglot check --write-checksums'"
            )
            yield Finding(CHECK, shown(project.migrations / file), 1, 1, file, message)
    for file in sorted(now.keys() - recorded.keys()):
        message = f"not in {CHECKSUMS} yet: add it with 'diglot check --write-checksums'"
        yield Finding(CHECK, shown(project.migrations / file), 1, 1, file, message)


def write_checksums(project: Project) -> Path:
    """Record the checksums of all files as they are now; ``sha256sum --check`` reads them too."""
    if project.migrations is None:
        raise MigrationError("there are no migrations to record: name their folder with --migrations")
    book = project.migrations / CHECKSUMS
    lines = [f"{sha256}  {file}\n" for file, sha256 in sorted(_checksums(project).items())]
    book.write_text("".join(lines), "utf-8", newline="\n")
    return book


def _checksums(project: Project) -> dict[str, str]:
    """``postgres/NAME.sql`` to the SHA-256 of its text, without a byte order mark and with LF line ends."""
    return {
        f"{dialect}/{file.name}": hashlib.sha256(normalised_bytes(file.read_bytes())).hexdigest()
        for dialect in project.dialects
        for file in read_folder(project.migration_folder(dialect)).files.values()
    }


# --- details -----------------------------------------------------------------------------------------------


def _lines(book: Path) -> list[str]:
    try:
        return decoded(book.read_bytes()).splitlines()
    except NotText as error:
        raise MigrationTreeError(f"{shown(book)}:{error.line}: not UTF-8") from error


def finding_of(error: MigrationError, project: Project) -> Finding:
    """Migrations that can't be read or applied, at their place."""
    return _of_error(error, project.migrations or Path())


def _finding(path: str, line: int, name: str, message: str) -> Finding:
    return Finding(CHECK, path, line, 1, name, message)


def _of_error(error: MigrationError, path: Path, name: str | None = None) -> Finding:
    """The place is in the error's text if it has one."""
    found = _PLACE.match(str(error))
    if found is None:
        return Finding(CHECK, shown(path), 1, 1, name or path.name, str(error))
    line, column = int(found["line"] or 1), int(found["column"] or 1)
    return Finding(CHECK, shown(found["path"]), line, column, name or Path(found["path"]).name, found["message"])
