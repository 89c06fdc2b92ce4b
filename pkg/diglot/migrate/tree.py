"""A tree of migrations as it stands in the files: ``FOLDER/postgres/*`` and ``FOLDER/sqlite/*``.

A migration is ID.sql and ID.rollback.sql, the id a UTC timestamp and a name; both dialects have the same ids. Reading
checks the names, the pairs and the headers, not the SQL itself. Contents are compared by SHA-256 with LF line ends,
so that a checkout on Windows is the same tree.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import datetime
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import msgspec

from diglot.errors import MigrationError, MigrationTreeError
from diglot.migrate.header import read_header
from diglot.migrate.statements import SqlStatement, split
from diglot.stores.session import DIALECTS, Dialect
from diglot.text_file import NotText, decoded

ID = re.compile(r"(\d{14})_[a-z][a-z0-9_]*$")
ROLLBACK = ".rollback.sql"


class Migration(msgspec.Struct, frozen=True):
    """One migration of one dialect: its two files, with LF line ends, and what their headers say."""

    id: str
    dialect: Dialect
    file: str
    text: str
    sha256: str
    rollback_file: str
    rollback_text: str
    rollback_sha256: str
    transactional: bool = True
    depends: tuple[str, ...] = ()
    nothing_to_undo: str | None = None
    """The reason why the rollback does nothing."""

    def statements(self) -> list[SqlStatement]:
        """What applies it; MigrationTreeError when there is none or the file can't be cut into statements."""
        statements = split(self.text, self.file)
        if not statements:
            raise MigrationTreeError(f"{self.file}: there is no statement in it")
        if not self.transactional:
            _check_concurrent_indexes(statements, self.file)
        return statements

    def rollback_statements(self) -> list[SqlStatement]:
        """What undoes it, in the order of the file; [] when there is nothing to undo."""
        statements = split(self.rollback_text, self.rollback_file)
        if not statements and self.nothing_to_undo is None:
            raise MigrationTreeError(_empty_rollback(self.rollback_file))
        return statements


class MigrationTree(msgspec.Struct, frozen=True):
    """The migrations of one dialect, oldest first."""

    dialect: Dialect
    folder: str
    migrations: tuple[Migration, ...]

    @classmethod
    def read(cls, folder: Path | Traversable, dialect: Dialect) -> MigrationTree:
        """Read ``folder/dialect``; MigrationTreeError with the file for whatever is not right.

        Where the other dialect's folder exists too, it must have the same files.
        """
        own = folder / dialect
        if not own.is_dir():
            raise MigrationTreeError(f"there is no folder {own} with migrations")
        found = _migration_files(own)
        for other in DIALECTS:
            if other != dialect and (folder / other).is_dir():
                _check_same_ids(dialect, set(found), other, set(_migration_files(folder / other)))
        tree = cls(dialect, str(own), tuple(_read(found[id], dialect, id) for id in sorted(found)))
        tree._check_depends()
        return tree

    @classmethod
    def packaged(cls, dialect: Dialect) -> MigrationTree:
        """Diglot's own migrations, wherever they are installed."""
        return cls.read(packaged(), dialect)

    def __iter__(self) -> Iterator[Migration]:
        return iter(self.migrations)

    @property
    def ids(self) -> list[str]:
        return [migration.id for migration in self.migrations]

    def get(self, id: str) -> Migration:
        """The migration with this id; MigrationError when the tree has none."""
        for migration in self.migrations:
            if migration.id == id:
                return migration
        raise MigrationError(f"there is no migration {id!r} in {self.folder}")

    def check(self) -> None:
        """Everything that reading leaves out: each file can be cut into statements, and has some."""
        for migration in self.migrations:
            migration.statements()
            migration.rollback_statements()

    def _check_depends(self) -> None:
        for number, migration in enumerate(self.migrations):
            for id in migration.depends:
                if id not in self.ids[:number]:
                    raise MigrationTreeError(f"{migration.file}: depends on {id!r}, which is no earlier migration")


def packaged() -> Traversable:
    """The folder of Diglot's own migrations."""
    return files("diglot.statestore.migrations")


def check_pairs(one: MigrationTree, other: MigrationTree) -> None:
    """Both trees have the same migrations with the same dependencies, else MigrationTreeError."""
    _check_same_ids(one.dialect, set(one.ids), other.dialect, set(other.ids))
    for mine, theirs in zip(one.migrations, other.migrations, strict=True):
        if mine.depends != theirs.depends:
            raise MigrationTreeError(f"{mine.file} and {theirs.file} depend on different migrations")


def _migration_files(folder: Path | Traversable) -> dict[str, tuple[Path | Traversable, Path | Traversable]]:
    """id → its file and its rollback file."""
    names = {entry.name: entry for entry in folder.iterdir() if entry.is_file()}
    found = {}
    for name, entry in names.items():
        stem, is_sql = name.removesuffix(ROLLBACK).removesuffix(".sql"), name.lower().endswith(".sql")
        if name.endswith(".py") and ID.match(name.removesuffix(".py")):
            raise MigrationTreeError(f"{entry}: a migration is SQL; Python is not run")
        if not is_sql:
            continue
        if not name.endswith(".sql") or not _is_id(stem):
            raise MigrationTreeError(
                f"{entry}: name it YYYYMMDDhhmmss_what_it_does.sql (UTC; small letters, digits and _)"
            )
        if f"{stem}.sql" not in names:
            raise MigrationTreeError(f"{entry}: there is no {stem}.sql beside it")
        if stem + ROLLBACK not in names:
            raise MigrationTreeError(f"{entry}: there is no {stem}{ROLLBACK} beside it")
        found[stem] = (names[f"{stem}.sql"], names[stem + ROLLBACK])
    return found


def _is_id(text: str) -> bool:
    match = ID.match(text)
    if match is None or len(text) > 120:
        return False
    try:
        datetime.strptime(match.group(1), "%Y%m%d%H%M%S")
    except ValueError:
        return False
    return True


def _check_same_ids(dialect: str, ids: set[str], other: str, other_ids: set[str]) -> None:
    for here, missing in ((dialect, ids - other_ids), (other, other_ids - ids)):
        if missing:
            raise MigrationTreeError(f"only {here} has the migration(s) {', '.join(sorted(missing))}")


def _read(files: tuple[Path | Traversable, Path | Traversable], dialect: Dialect, id: str) -> Migration:
    file, rollback_file = files
    text, rollback_text = _text(file), _text(rollback_file)
    header, rollback = read_header(text, str(file)), read_header(rollback_text, str(rollback_file), rollback=True)
    if not header.transactional and dialect == "sqlite":
        raise MigrationTreeError(
            f"{file}: on SQLite every migration is a transaction: 'transactional: false' has no use"
        )
    if not rollback.has_statements and rollback.nothing is None:
        raise MigrationTreeError(_empty_rollback(str(rollback_file)))
    if rollback.has_statements and rollback.nothing is not None:
        raise MigrationTreeError(f"{rollback_file}: it says 'nothing because …', yet there are statements")
    return Migration(
        id=id,
        dialect=dialect,
        file=str(file),
        text=text,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        rollback_file=str(rollback_file),
        rollback_text=rollback_text,
        rollback_sha256=hashlib.sha256(rollback_text.encode()).hexdigest(),
        transactional=header.transactional,
        depends=header.depends,
        nothing_to_undo=rollback.nothing,
    )


def _text(file: Path | Traversable) -> str:
    try:
        text = decoded(file.read_bytes())
    except NotText as error:
        raise MigrationTreeError(f"{file}: {error}") from error
    if "\x00" in text:
        raise MigrationTreeError(f"{file}: there is a NUL character in it")
    return text


def _empty_rollback(file: str) -> str:
    return f"{file}: empty: undo the migration, or say '-- rollback: nothing because …'"


def _check_concurrent_indexes(statements: list[SqlStatement], file: str) -> None:
    """An index whose making was cut off stays, invalid: it must be dropped first, so that the file can run again."""
    dropped: set[str] = set()
    for statement in statements:
        words = statement.words
        if words[:5] == ("drop", "index", "concurrently", "if", "exists"):
            dropped.add(words[5])
        elif words[0] == "create" and "concurrently" in words[2:4]:
            rest = words[words.index("concurrently") + 1 :]
            name = rest[3] if rest[:3] == ("if", "not", "exists") else rest[0]
            if name not in dropped:
                raise MigrationTreeError(
                    f"{file}:{statement.line}: write 'drop index concurrently if exists NAME;' before it, "
                    "because an index whose making was cut off stays there, invalid"
                )
