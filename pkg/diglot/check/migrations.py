"""Whether migrations can be trusted: paired, undoable, unedited, and without a surprise for whoever uses the tables.

Both trees have the same migrations; each has its way back, and up, down, up gives the same schema, tried on an empty
database; none was edited since it was written into ``checksums.sha256`` (where there is that file); what loses data or
locks tables says why that is right.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from diglot.check.finding import Finding
from diglot.check.forms import Form, MigrationFiles, MigrationFolder, SqlFile, read_folder, run
from diglot.check.project import Project, shown
from diglot.check.unsafe import unsafe
from diglot.errors import MigrationError, MigrationFailed, MigrationTreeError
from diglot.migrate.tree import ID, MigrationTree
from diglot.schema.objects import difference, objects
from diglot.stores.session import Dialect, Store
from diglot.text_file import NotText, decoded, normalised_bytes

CHECK = "migrations"
CHECKSUMS = "checksums.sha256"
_LOCK_WAIT = 30.0
_PLACE = re.compile(
    r"(?P<path>[^:\n]+\.(?:sql|py)):(?:(?P<line>\d+):)?(?:(?P<column>\d+):)? (?P<message>.*)", re.DOTALL
)
_LINE = re.compile(r"(?P<sha256>[0-9a-f]{64})  (?P<file>\S+)")
_OTHER: dict[Dialect, Dialect] = {"postgres": "sqlite", "sqlite": "postgres"}


def check_migrations(project: Project, postgres: Store | None, sqlite: Store | None) -> list[Finding]:
    """What is not right about the project's migrations. The databases are empty, and migrated when it returns."""
    findings: list[Finding] = []
    folders: dict[Dialect, MigrationFolder] = {}
    for dialect in project.dialects:
        folder = project.migration_folder(dialect)
        try:
            folders[dialect] = read_folder(folder, dialect)
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


def _files(folder: MigrationFolder, other: MigrationFolder | None) -> Iterator[Finding]:
    for orphan in folder.orphans:
        yield _finding(orphan, 1, orphan.path, "a way back without a migration: there is no file for the way there")
    theirs = {migration.id for migration in other.migrations} if other is not None else set()
    numbers: dict[int, str] = {}
    ids = {migration.id for migration in folder.migrations}
    for migration in folder.migrations:
        if other is not None and migration.id not in theirs:
            message = f"only {folder.dialect} has this migration: write it for {other.dialect} under the same name"
            yield _finding(migration.up, 1, migration.id, message)
        if migration.down is None and folder.form.down is not None:
            yield _finding(migration.up, 1, migration.id, f"it has no way back: write {migration.id}{folder.form.down}")
        for line, id in _depends(migration) if folder.form is Form.YOYO else ():
            if id not in ids:
                yield _finding(migration.up, line, migration.id, f"depends on {id!r}, which is not in this folder")
        number = re.match(r"\d+", migration.id)
        if folder.form is Form.UP_DOWN and number:
            first = numbers.setdefault(int(number[0]), migration.id)
            if first != migration.id:
                yield _finding(migration.up, 1, migration.id, f"{first} has the number {int(number[0])} already")


def _depends(migration: MigrationFiles) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(migration.up.text.split("\n"), start=1):
        found = re.match(r"\s*--\s*depends\s*:\s*(.*?)\s*$", line)
        for id in found[1].split() if found else ():
            yield number, id


def _statements(folder: MigrationFolder) -> Iterator[Finding]:
    for migration in folder.migrations:
        for file in (migration.up, migration.down):
            if file is None:
                continue
            try:
                statements = file.statements(folder.form)
            except MigrationTreeError as error:
                yield _of_error(error, Path(file.path), migration.id)
                continue
            if file is migration.up:
                for one in unsafe(file.text, statements, folder.dialect):
                    yield Finding(CHECK, file.path, one.line, one.column, migration.id, one.message)


def _runners_rules(path: Path, folder: MigrationFolder) -> Iterator[Finding]:
    """What Diglot's own runner asks of a tree that is made for it, as its names tell."""
    if folder.form is Form.YOYO and all(ID.match(migration.id) for migration in folder.migrations):
        try:
            MigrationTree.read(path.parent, folder.dialect).check()
        except MigrationTreeError as error:
            yield _of_error(error, path)


# --- on the database ---------------------------------------------------------------------------------------


def _there_and_back(store: Store, folder: MigrationFolder) -> Iterator[Finding]:
    """Each migration up, down and up again; the first that fails ends it, since the others stand on it."""
    with store.migration_connection(_LOCK_WAIT) as connection:
        before = objects(connection, folder.dialect)
        for migration in folder.migrations:
            try:
                run(connection, folder, migration.up, migration.transactional)
                after = objects(connection, folder.dialect)
                if migration.down is not None:
                    run(connection, folder, migration.down, migration.transactional)
                    back = objects(connection, folder.dialect)
                    left = difference(before, back) if not _undoes_nothing(migration.down) else None
                    if left is not None:
                        message = f"after it the schema is not what it was before the migration: {left}"
                        yield _finding(migration.down, 1, migration.id, message)
                        return
                    run(connection, folder, migration.up, migration.transactional)
                    again = difference(after, objects(connection, folder.dialect))
                    if again is not None:
                        message = f"after up, down and up the schema is another than after the first up: {again}"
                        yield _finding(migration.up, 1, migration.id, message)
            except MigrationFailed as error:
                yield _of_error(error, Path(migration.up.path), migration.id)
                return
            except MigrationTreeError:
                return  # the file can't be cut into statements: said already
            before = after


def _undoes_nothing(down: SqlFile) -> bool:
    return re.search(r"^\s*--\s*rollback:\s*nothing because \S", down.text, re.MULTILINE) is not None


# --- checksums ---------------------------------------------------------------------------------------------


def check_checksums(project: Project) -> Iterator[Finding]:
    """Files that are not as they were when they were written down; nothing where nothing was written down."""
    assert project.migrations is not None  # noqa: S101 - its folders were read
    book = project.migrations / CHECKSUMS
    if not book.exists():
        return
    recorded: dict[str, tuple[str, int]] = {}
    for number, line in enumerate(_lines(book), start=1):
        found = _LINE.fullmatch(line)
        if found is None:
            message = "not a line of sha256sum: write it anew with 'diglot check --write-checksums'"
            yield Finding(CHECK, shown(book), number, 1, CHECKSUMS, message)
        elif found["file"].partition("/")[0] in project.dialects:
            recorded[found["file"]] = found["sha256"], number
    now = _checksums(project)
    for file, (sha256, number) in recorded.items():
        if file not in now:
            message = f"{file} is gone, yet databases may have it: bring it back, or take it out of {CHECKSUMS}"
            yield Finding(CHECK, shown(book), number, 1, file, message)
        elif now[file] != sha256:
            message = (
                "edited after it was written down, yet databases may have it as it was: restore it and write a new "
                "migration, or accept it with 'diglot check --write-checksums'"
            )
            yield Finding(CHECK, shown(project.migrations / file), 1, 1, file, message)
    for file in sorted(now.keys() - recorded.keys()):
        message = f"not in {CHECKSUMS} yet: add it with 'diglot check --write-checksums'"
        yield Finding(CHECK, shown(project.migrations / file), 1, 1, file, message)


def write_checksums(project: Project) -> Path:
    """Write down all files as they are now; ``sha256sum --check`` reads it too."""
    if project.migrations is None:
        raise MigrationError("there are no migrations to write down: name their folder with --migrations")
    book = project.migrations / CHECKSUMS
    lines = [f"{sha256}  {file}\n" for file, sha256 in sorted(_checksums(project).items())]
    book.write_text("".join(lines), "utf-8", newline="\n")
    return book


def _checksums(project: Project) -> dict[str, str]:
    """``postgres/NAME.sql`` to the SHA-256 of its text, without a byte order mark and with LF line ends."""
    return {
        f"{dialect}/{file.name}": hashlib.sha256(normalised_bytes(file.read_bytes())).hexdigest()
        for dialect in project.dialects
        for file in sorted(project.migration_folder(dialect).glob("*.sql"))
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


def _finding(file: SqlFile, line: int, name: str, message: str) -> Finding:
    return Finding(CHECK, file.path, line, 1, name, message)


def _of_error(error: MigrationError, path: Path, name: str | None = None) -> Finding:
    """The place is in the error's text where it has one."""
    found = _PLACE.match(str(error))
    if found is None:
        return Finding(CHECK, shown(path), 1, 1, name or path.name, str(error))
    line, column = int(found["line"] or 1), int(found["column"] or 1)
    return Finding(CHECK, shown(found["path"]), line, column, name or Path(found["path"]).name, found["message"])
