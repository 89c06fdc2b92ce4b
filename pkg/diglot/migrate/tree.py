"""A tree of migrations, read from its files: ``FOLDER/postgres/*`` and ``FOLDER/sqlite/*``.

The layout (layouts.py) says which files are a migration and in which order they are applied; both dialects have the
same ids. ``scan`` reads a folder as it is, ``read`` also checks its rules, not the SQL itself. Contents are compared
by SHA-256 with LF line ends, so that a checkout on Windows is the same tree.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from diglot.errors import MigrationError, MigrationTreeError
from diglot.migrate.header import Depends, Header, read_header
from diglot.migrate.layouts import ID, Layout, Plain, Timestamped, UpDown, Yoyo, layout_of
from diglot.migrate.statements import SqlStatement, split
from diglot.sql.session import DIALECTS, Dialect
from diglot.sql.statements import BEGINS, COMMITS
from diglot.sql_folder import Folder, Unclaimed, beside_dialects, read_folder
from diglot.text_file import NotText, decoded, shown

_BOTH_WAYS = re.compile(r"^\s*--\s*(\+goose\s+(?:Up|Down)|\+migrate\s+(?:Up|Down)|migrate:(?:up|down))\b", re.MULTILINE)
_NO_TRANSACTION_CONCURRENTLY = frozenset({"create", "drop", "reindex", "alter"})


class Migration(msgspec.Struct, frozen=True):
    """One migration of one dialect: its files, with LF line ends, and what their headers say.

    ``rollback_file`` is None if there is no down migration.
    """

    id: str
    dialect: Dialect
    layout: Layout
    file: str
    text: str
    sha256: str
    rollback_file: str | None
    rollback_text: str
    rollback_sha256: str
    header: Header
    rollback_header: Header
    transactional: bool

    @property
    def depends_at(self) -> Depends:
        """The migrations that must be applied before, each with the line that names it."""
        return self.header.depends if isinstance(self.layout, Yoyo) else ()

    @property
    def depends(self) -> tuple[str, ...]:
        return tuple(id for _, id in self.depends_at)

    @property
    def nothing_to_undo(self) -> str | None:
        """The reason why the rollback does nothing."""
        return self.rollback_header.nothing

    def written(self) -> list[SqlStatement]:
        """The statements of its file as they are; MigrationTreeError if it can't be split."""
        return split(self.text, self.file, self.dialect, own_transactions=self.layout.own_transactions)

    def rollback_written(self) -> list[SqlStatement]:
        """As ``written``, for the rollback file; [] if there is none."""
        if self.rollback_file is None:
            return []
        return split(
            self.rollback_text, self.rollback_file, self.dialect, own_transactions=self.layout.own_transactions
        )

    def statements(self) -> list[SqlStatement]:
        """What applies it; MigrationTreeError if there is none or the runner can't run it safely."""
        statements = _in_our_transaction(self.written(), self.file)
        if not statements:
            raise MigrationTreeError(f"{self.file}: it contains no statement")
        if not self.transactional:
            _check_concurrent_indexes(statements, self.file)
        return statements

    def rollback_statements(self) -> list[SqlStatement]:
        """What undoes it, in the order of the file; [] if there is nothing to undo.

        MigrationError if there is no down migration.
        """
        if self.rollback_file is None:
            raise MigrationError(f"{self.id} has no down migration, so it can't be rolled back")
        statements = _in_our_transaction(self.rollback_written(), self.rollback_file)
        if not statements and self.nothing_to_undo is None:
            raise MigrationTreeError(_empty_rollback(self.rollback_file))
        return statements


class MigrationTree(msgspec.Struct, frozen=True):
    """The migrations of one dialect in the order in which they are applied.

    ``orphans`` are the files of down migrations without a migration, ``strays`` those that are no migration by their
    names or their places, so that nothing would run them.
    """

    dialect: Dialect
    folder: str
    layout: Layout
    migrations: tuple[Migration, ...]
    orphans: tuple[str, ...] = ()
    strays: tuple[Unclaimed, ...] = ()

    @classmethod
    def scan(cls, folder: Folder, dialect: Dialect) -> MigrationTree:
        """The migrations of this one folder; MigrationTreeError for a folder that can't be read at all."""
        files, strays = _files(folder, dialect)
        names = list(files)
        if not names:
            _refuse(strays)
            raise MigrationTreeError(f"{_shown(folder)} has no migrations (*.sql)")
        python = sorted(e.name for e in folder.iterdir() if e.name.endswith(".py") and e.name != "__init__.py")
        if python:
            raise MigrationTreeError(
                f"{_shown(folder / python[0])}:1: migrations in Python are not supported: write it in SQL"
            )
        layout = layout_of(names)
        ups, downs = layout.ups(names), layout.downs(names)
        found = {
            id: _migration(id, dialect, layout, files[name], files[downs[id]] if id in downs else None)
            for id, name in ups.items()
        }
        order = layout.order({id: migration.depends for id, migration in found.items()})
        orphans = tuple(_shown(files[name]) for id, name in downs.items() if id not in ups)
        taken = {*ups.values(), *downs.values()}
        strays += tuple(Unclaimed(_shown(files[name]), _misnamed(layout)) for name in names if name not in taken)
        return cls(dialect, str(folder), layout, tuple(found[id] for id in order), orphans, strays)

    @classmethod
    def read(cls, folder: Folder, dialect: Dialect) -> MigrationTree:
        """Read ``folder/dialect`` and check its rules; MigrationTreeError with the file for any mistake.

        If the other dialect's folder exists too, it must have the same migrations. A folder without files is a
        tree of Diglot's own layout.
        """
        own = folder / dialect
        if not own.is_dir():
            raise MigrationTreeError(f"there is no folder {own} with migrations")
        files, strays = _files(own, dialect)
        if isinstance(layout_of(files), Timestamped) or not files:
            _check_names(own, files)
        tree = cls.scan(own, dialect) if files else cls(dialect, str(own), Timestamped(), (), (), strays)
        tree._check_rules()
        for other in DIALECTS:
            if other != dialect and (folder / other).is_dir():
                _check_same_ids(dialect, set(tree.ids), other, _ids(folder / other))
        return tree

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
        """The checks that reading skips: each file can be split into statements, and has some."""
        for migration in self.migrations:
            migration.statements()
            if migration.rollback_file is not None:
                migration.rollback_statements()

    def refuse_strays(self) -> None:
        """MigrationTreeError if the tree has a file that nothing would run."""
        _refuse(self.strays)

    def _check_rules(self) -> None:
        if self.orphans:
            raise MigrationTreeError(f"{self.orphans[0]}: down migration without an up migration")
        self.refuse_strays()
        for migration in self.migrations:
            if not migration.transactional and self.dialect == "sqlite":
                raise MigrationTreeError(
                    f"{migration.file}: 'transactional: false' has no effect on SQLite: "
                    "there every migration is a transaction"
                )
            if isinstance(self.layout, Timestamped):
                _check_header(migration)
        if isinstance(self.layout, UpDown):
            numbers: dict[int, str] = {}
            for migration in self.migrations:
                number = self.layout.number(migration.id)
                first = migration.id if number is None else numbers.setdefault(number, migration.id)
                if first != migration.id:
                    raise MigrationTreeError(f"{migration.file}: {first} already has its number")
        for at, migration in enumerate(self.migrations):
            for id in migration.depends:
                if id not in self.ids[:at]:
                    raise MigrationTreeError(f"{migration.file}: depends on {id!r}, which is not an earlier migration")


def check_pairs(one: MigrationTree, other: MigrationTree) -> None:
    """Both trees have the same migrations with the same dependencies, else MigrationTreeError."""
    _check_same_ids(one.dialect, set(one.ids), other.dialect, set(other.ids))
    for mine in one:
        theirs = other.get(mine.id)
        if mine.depends != theirs.depends:
            raise MigrationTreeError(f"{mine.file} and {theirs.file} depend on different migrations")


def _files(folder: Folder, dialect: Dialect) -> tuple[dict[str, Folder], tuple[Unclaimed, ...]]:
    """The ``.sql`` files of a folder by their names, and what nothing would read in it or beside it."""
    found = read_folder(folder)
    beside = beside_dialects(folder.parent) if isinstance(folder, Path) and folder.name == dialect else ()
    return found.files, (*beside, *found.unclaimed)


def _misnamed(layout: Layout) -> str:
    names = " or ".join(f"NAME{suffix}" for suffix in (layout.up, layout.down) if suffix)
    return f"it would not be run: name it {names}, or move it to another folder"


def _refuse(strays: tuple[Unclaimed, ...]) -> None:
    for stray in strays:
        raise MigrationTreeError(f"{stray.path}: {stray.message}")


# --- one migration -----------------------------------------------------------------------------------------


def _migration(id: str, dialect: Dialect, layout: Layout, up: Folder, down: Folder | None) -> Migration:
    file, text = _shown(up), _text(up)
    marked = _BOTH_WAYS.search(text)
    if marked:
        line = text.count("\n", 0, marked.start(1)) + 1
        raise MigrationTreeError(
            f"{file}:{line}: {marked[1]!r}: files with both directions are not supported; give each direction its own, "
            f"{id}.up.sql and {id}.down.sql"
        )
    rollback_text = _text(down) if down is not None else ""
    concurrently = dialect == "postgres" and not isinstance(layout, Yoyo) and _is_concurrent(text, file)
    rollback_file = _shown(down) if down is not None else None
    header = read_header(text, file)
    return Migration(
        id=id,
        dialect=dialect,
        layout=layout,
        file=file,
        text=text,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        rollback_file=rollback_file,
        rollback_text=rollback_text,
        rollback_sha256=hashlib.sha256(rollback_text.encode()).hexdigest(),
        header=header,
        rollback_header=read_header(rollback_text, rollback_file or "", rollback=True),
        transactional=header.transactional and not concurrently,
    )


def _is_concurrent(text: str, file: str) -> bool:
    """Whether one of its statements can't run in a transaction; the tools of these layouts don't have it declared."""
    if "concurrently" not in text.lower():
        return False
    try:
        statements = split(text, file, "postgres", own_transactions=True)
    except MigrationTreeError:
        return False  # reported when its statements are read
    return any(
        "concurrently" in statement.words and statement.words[0] in _NO_TRANSACTION_CONCURRENTLY
        for statement in statements
    )


def _text(file: Folder) -> str:
    try:
        text = decoded(file.read_bytes())
    except NotText as error:
        raise MigrationTreeError(f"{_shown(file)}:{error.line}: {error}") from error
    if "\x00" in text:
        raise MigrationTreeError(f"{_shown(file)}: it contains a NUL character")
    return text


def _shown(path: Folder) -> str:
    return shown(str(path))


def _in_our_transaction(statements: list[SqlStatement], file: str) -> list[SqlStatement]:
    """Without the begin and the commit around the whole file: the runner's transaction replaces them."""
    if len(statements) > 1 and statements[0].words[0] in BEGINS and statements[-1].words[0] in COMMITS:
        statements = statements[1:-1]
    for statement in statements:
        control = statement.transaction_control
        if control:
            raise MigrationTreeError(
                f"{file}:{statement.line}: {control!r} inside a migration: the runner begins and "
                "commits, so that the migration is applied as a whole"
            )
    return statements


# --- the rules of Diglot's own layout ----------------------------------------------------------------------


def _ids(folder: Folder) -> set[str]:
    names = read_folder(folder).files
    return set((layout_of(names) if names else Plain()).ups(names))


def _check_names(folder: Folder, files: Mapping[str, Folder]) -> None:
    for entry in folder.iterdir():
        if entry.name.endswith(".py") and ID.match(entry.name.removesuffix(".py")):
            raise MigrationTreeError(f"{_shown(entry)}: migrations in Python are not supported: write it in SQL")
    down = Timestamped.down
    for name, entry in files.items():
        file, stem = _shown(entry), name.removesuffix(down or "").removesuffix(".sql")
        if not _is_id(stem):
            raise MigrationTreeError(
                f"{file}: name it YYYYMMDDhhmmss_what_it_does.sql (UTC; small letters, digits and _)"
            )
        for other in (f"{stem}.sql", f"{stem}{down}"):
            if other not in files:
                raise MigrationTreeError(f"{file}: there is no {other} next to it")


def _is_id(text: str) -> bool:
    match = ID.match(text)
    if match is None or len(text) > 120:
        return False
    try:
        datetime.strptime(match.group(1), "%Y%m%d%H%M%S")
    except ValueError:
        return False
    return True


def _check_header(migration: Migration) -> None:
    rollback, rollback_file = migration.rollback_header, migration.rollback_file or ""
    for header in (migration.header, rollback):
        if header.mistake:
            raise MigrationTreeError(header.mistake)
    if not rollback.has_statements and rollback.nothing is None:
        raise MigrationTreeError(_empty_rollback(rollback_file))
    if rollback.has_statements and rollback.nothing is not None:
        raise MigrationTreeError(f"{rollback_file}: it says 'nothing because …', but it has statements")


def _check_same_ids(dialect: str, ids: set[str], other: str, other_ids: set[str]) -> None:
    for here, missing in ((dialect, ids - other_ids), (other, other_ids - ids)):
        if missing:
            raise MigrationTreeError(f"only {here} has the migration(s) {', '.join(sorted(missing))}")


def _empty_rollback(file: str) -> str:
    return f"{file}: empty: undo the migration, or write '-- rollback: nothing because …'"


def _check_concurrent_indexes(statements: list[SqlStatement], file: str) -> None:
    """An interrupted index build leaves an invalid index: it must be dropped first, so that the file can run again."""
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
                    "because an interrupted build leaves an invalid index"
                )
