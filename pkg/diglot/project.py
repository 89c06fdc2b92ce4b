"""A project: two trees of queries, two trees of migrations, row models, and the settings of what works on them.

shop = diglot.Project.find()
with shop.open("sqlite:///shop.db") as db:
    queries = db.queries(ShopQueries)
    queries.books.search(db, term="é")

``diglot.toml`` describes it:

[project]
queries = "queries"           # has the folders postgres and sqlite
migrations = "migrations"     # has the folders postgres and sqlite
models = "shop.rows"          # the msgspec structs that '-- returns:' names
generated = "shop/queries"    # where 'diglot generate' writes the types

[database]
url = "sqlite:///shop.db"

Paths are relative to that file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import msgspec

from diglot.errors import ConfigurationError
from diglot.project_file import ProjectFile, read_project_file
from diglot.sql.encoding import MAX_DOCUMENT
from diglot.sql.session import DIALECTS, Dialect
from diglot.sql_folder import SqlFolder, beside_dialects, read_folder
from diglot.stores.settings import PostgresSettings, SQLiteSettings
from diglot.text_file import shown

if TYPE_CHECKING:
    from diglot.database import Database
    from diglot.migrate.tree import MigrationTree
    from diglot.sql.loader import QuerySet
    from diglot.sql.models import Models

TREES = ("queries", "migrations", "models", "generated")
_SECTIONS = ("project", "database", "check")
URL_OPTION, URL_VARIABLE = "--database-url", "DATABASE_URL"


class CheckSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The section ``[check]``: ``allowed`` is the file of accepted drift, ``only`` the checks to run.

    ``strict``: what can't be proven is a finding.

    The names of the trees may be here too, as in version 0.1.
    """

    allowed: str | None = None
    postgres_url: str | None = None
    only: tuple[str, ...] = ()
    strict: bool = False
    dialect: Dialect | None = None
    queries: str | None = None
    migrations: str | None = None
    models: str | None = None


class Trees(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The section ``[project]``."""

    queries: str | None = None
    migrations: str | None = None
    models: str | None = None
    generated: str | None = None


class DatabaseSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The section ``[database]``. ``migration_timeout``: seconds to wait for the migration lock."""

    url: str | None = None
    auto_migrate: bool = True
    migration_timeout: float = 60.0
    max_document: int = MAX_DOCUMENT


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """Which database to open, and how.

    ``migration_timeout``: seconds to wait for the migration lock. ``sources``: where each setting comes from.
    """

    database: SQLiteSettings | PostgresSettings
    auto_migrate: bool = True
    migration_timeout: float = 60.0
    sources: dict[str, str] = {}

    @property
    def dialect(self) -> Dialect:
        return "sqlite" if isinstance(self.database, SQLiteSettings) else "postgres"


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """``queries`` and ``migrations`` are folders that have the folders ``postgres`` and ``sqlite`` in them.

    ``models`` are the structs that ``-- returns:`` may name, or the module that has them (``shop.rows``, or
    ``shop.rows:MODELS`` for a dict); None where they are not known: what a query returns is then only compared
    between the dialects. ``generated`` is the folder of the generated types. ``dialects`` are those to look at.
    """

    queries: Path | None = None
    migrations: Path | None = None
    models: Mapping[str, type[Any]] | str | None = None
    generated: Path | None = None
    dialects: tuple[Dialect, ...] = DIALECTS
    file: Path | None = None
    check: CheckSettings = CheckSettings()
    database: DatabaseSection = DatabaseSection()
    moments: Mapping[str, tuple[str, str]] = {}
    """What ``diglot stats`` shows the oldest and the newest of: the table and its column, by what it is called."""
    roots: Mapping[str, tuple[str, str]] = {}
    """What ``diglot export`` can be asked for by its key: the table and its column, by the name of the option."""

    @classmethod
    def find(cls, file: Path | str | None = None) -> Project:
        """The project of ``file``, or of the current folder: its ``diglot.toml`` is looked for there and above.

        ConfigurationError where there is none, or where the file names no tree.
        """
        found = cls.find_or_none(file)
        if found is None:
            raise ConfigurationError(
                f"{file} names no queries and no migrations: add them to its section [project]"
                if file is not None
                else "there is no project here: no diglot.toml in this folder, or above it, names queries or migrations"
            )
        return found

    @classmethod
    def find_or_none(cls, file: Path | str | None = None) -> Project | None:
        """As ``find``; None where no file names a tree."""
        read = read_project_file(None if file is None else Path(file))
        if read is None:
            return None
        if not names_trees(read):
            return None
        trees = read.section("project", Trees)
        check = check_settings(read)
        named = {name: _named_once(read, name, trees, check) for name in TREES}
        unknown = next((name for name in read.tables if name not in _SECTIONS), None)
        if unknown is not None:
            raise ConfigurationError(
                f"{unknown} ({read.path}): unknown section: use {', '.join(f'[{name}]' for name in _SECTIONS)}"
            )
        return cls(
            queries=_folder(read, "queries", named["queries"]),
            migrations=_folder(read, "migrations", named["migrations"]),
            models=named["models"],
            generated=_path(read, named["generated"]),
            dialects=(check.dialect,) if check.dialect is not None else DIALECTS,
            file=read.path.absolute(),
            check=check,
            database=read.section("database", DatabaseSection),
        )

    def replace(self, **changes: Any) -> Self:
        """The project with these attributes changed; None changes nothing."""
        return msgspec.structs.replace(self, **{name: new for name, new in changes.items() if new is not None})

    @property
    def folder(self) -> Path:
        """The folder of the project's file; the current one where there is no file."""
        return self.file.absolute().parent if self.file is not None else Path.cwd()

    @property
    def _shown_file(self) -> str:
        return shown(self.file) if self.file is not None else "diglot.toml"

    @property
    def allowed(self) -> Path | None:
        """The file of accepted drift that the settings name, or ``drift.toml`` beside the project's file."""
        if self.check.allowed is not None:
            return self.folder / self.check.allowed
        beside = self.folder / "drift.toml"
        return beside if beside.is_file() else None

    def query_files(self, dialect: Dialect) -> list[Path]:
        """The query files of a dialect in the order of their names; ConfigurationError where the folder is missing."""
        return [Path(str(file)) for file in self.query_folder(dialect).files.values()]

    def every_query_file(self, dialect: Dialect) -> list[Path]:
        """As ``query_files``; QueryFileError if the tree has a file that nothing would read."""
        from diglot.sql.loader import claimed

        return [Path(str(file)) for file in claimed(self.query_folder(dialect)).values()]

    def query_folder(self, dialect: Dialect) -> SqlFolder:
        """The query files of a dialect, and the files that nothing reads, in its folder or beside it."""
        folder = _of_dialect(self.queries, dialect, "queries")
        found = read_folder(folder)
        return msgspec.structs.replace(found, unclaimed=(*beside_dialects(folder.parent), *found.unclaimed))

    def migration_folder(self, dialect: Dialect) -> Path:
        """The migrations of a dialect; ConfigurationError where the folder is missing."""
        return _of_dialect(self.migrations, dialect, "migrations")

    def migration_tree(self, dialect: Dialect) -> MigrationTree:
        """The migrations of a dialect, read. ConfigurationError, MigrationTreeError."""
        from diglot.migrate.tree import MigrationTree

        return MigrationTree.read(self.migration_folder(dialect).parent, dialect)

    def row_models(self) -> Models | None:
        """The structs by their names; ConfigurationError where the module has none, or cannot be imported."""
        if self.models is None or isinstance(self.models, Mapping):
            return self.models
        from diglot.sql.named_models import load_models

        return load_models(self.models, self.folder)

    def load(self, dialect: Dialect, max_document: int = MAX_DOCUMENT) -> QuerySet:
        """The queries of a dialect as callable objects. QueryFileError, ConfigurationError."""
        from diglot.sql.loader import load_queries

        self.every_query_file(dialect)
        folder = _of_dialect(self.queries, dialect, "queries")
        return load_queries(folder, dialect, self.row_models(), max_document=max_document)

    def configuration(self, flags: Mapping[str, Any] | None = None) -> Configuration:
        """Which database: that of the flags (``{"--database-url": …}``), of DATABASE_URL, or of ``diglot.toml``.

        ConfigurationError where none of them names one.
        """
        from diglot.stores.url import parse_url

        given = {name: value for name, value in (flags or {}).items() if value is not None}
        other = next((name for name in given if name != URL_OPTION), None)
        if other is not None:
            raise ConfigurationError(f"{other} is an option of the state store: this project takes {URL_OPTION}")
        sources = (
            (given.get(URL_OPTION), URL_OPTION),
            (os.environ.get(URL_VARIABLE), f"{URL_VARIABLE} (environment)"),
            (self.database.url, f"database.url ({self._shown_file})"),
        )
        url, source = next(((url, source) for url, source in sources if url), (None, ""))
        if url is None:
            raise ConfigurationError(
                f"no database is named: use {URL_OPTION}, the variable {URL_VARIABLE}, or url in the section "
                f"[database] of {self._shown_file}"
            )
        try:
            settings = parse_url(url)
        except ConfigurationError as error:
            raise ConfigurationError(f"{source}: {error}") from None
        if isinstance(settings, SQLiteSettings) and url == self.database.url and settings.path != ":memory:":
            settings = msgspec.structs.replace(settings, path=str(self.folder / settings.path))
        return Configuration(
            database=msgspec.structs.replace(settings, max_document=self.database.max_document),
            auto_migrate=self.database.auto_migrate,
            migration_timeout=self.database.migration_timeout,
            sources={"driver": source},
        )

    def open(self, url: str | None = None, *, migrate: bool | None = None) -> Database:
        """Open a database of this project: that of ``url``, or of the configuration. Use it with ``with``.

        Pending migrations are applied, or are a NotMigrated error where ``auto_migrate`` is off; ``migrate=False``
        does not look. ConfigurationError, DatabaseUnavailable, MigrationError.
        """
        from diglot.database import open_project

        return open_project(self, self.configuration({URL_OPTION: url}), migrate=migrate)


def check_settings(read: ProjectFile) -> CheckSettings:
    """The section ``[check]`` of the file."""
    return read.section("check", CheckSettings, {"dialect": "use 'postgres' or 'sqlite'"})


def names_trees(read: ProjectFile) -> bool:
    """Whether the file describes a project of its own, not only settings of the state store."""
    return any(
        isinstance(section, dict) and any(section.get(tree) is not None for tree in ("queries", "migrations"))
        for section in (read.tables.get("project"), read.tables.get("check"))
    )


def _named_once(read: ProjectFile, name: str, trees: Trees, check: CheckSettings) -> str | None:
    one: str | None = getattr(trees, name)
    other: str | None = getattr(check, name, None)
    if one is not None and other is not None:
        raise ConfigurationError(f"{name} ({read.path}) is in [project] and in [check]: remove it from [check]")
    return one if one is not None else other


def _path(read: ProjectFile, value: str | None) -> Path | None:
    return None if value is None else read.folder / value


def _folder(read: ProjectFile, name: Literal["queries", "migrations"], value: str | None) -> Path | None:
    path = _path(read, value)
    if path is not None and not path.is_dir():
        raise ConfigurationError(f"{name} ({read.path}): there is no folder {value}")
    return path


def _of_dialect(tree: Path | None, dialect: Dialect, what: Literal["queries", "migrations"]) -> Path:
    if tree is None:
        raise ConfigurationError(f"this needs {what}: name their folder with --{what}, or in diglot.toml")
    folder = tree / dialect
    if not folder.is_dir():
        raise ConfigurationError(
            f"there is no folder {shown(folder)}: the folder of {what} has a folder postgres and a folder sqlite"
        )
    return folder
