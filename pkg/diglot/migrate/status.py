"""The migrations that a database records, compared with those of the files.

Two reads on any session, also on a read-only or an empty database: nothing is created, and no table that may not
exist is queried, so the server's log stays clean. yoyo's table lists the applied migrations; ours keeps the
SHA-256 of both files as they were then, so that an edit is detected.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

import msgspec

from diglot.errors import MigrationEdited, MigrationOutOfOrder, MigrationUnknown
from diglot.migrate.tree import Migration, MigrationTree
from diglot.sql.session import Dialect, Row, Statement

State = Literal["applied", "pending", "edited", "unknown"]
Clock = Callable[[], datetime]
"""The time now, aware."""
Rows = Callable[[Statement], list[Row]]
"""Runs a statement without values; ``store.rows`` is one."""

APPLIED_TABLE = "_yoyo_migration"
CHECKSUM_TABLE = "diglot_migration_checksum"


class Applied(msgspec.Struct, frozen=True):
    """A migration that the database has; no checksums if yoyo itself applied it."""

    id: str
    applied_at: datetime
    sha256: str | None
    rollback_sha256: str | None


class MigrationStatus(msgspec.Struct, frozen=True):
    """A migration of the files or of the database. ``detail`` names the file that was edited, else it is empty."""

    id: str
    state: State
    applied_at: datetime | None
    detail: str = ""


def statuses(tree: MigrationTree, applied: list[Applied]) -> list[MigrationStatus]:
    """One for each id that the tree or the database has: those of the tree in its order, then the others."""
    known, there = {migration.id: migration for migration in tree}, {one.id: one for one in applied}
    others = [one.id for one in applied if one.id not in known]
    return [_status(id, known.get(id), there.get(id)) for id in (*known, *others)]


def check(tree: MigrationTree, applied: list[Applied]) -> None:
    """MigrationUnknown or MigrationEdited if the database has what the files lack."""
    found = statuses(tree, applied)
    unknown = [status.id for status in found if status.state == "unknown"]
    if unknown:
        raise MigrationUnknown(
            f"the database has {', '.join(unknown)}, which {tree.folder} lacks: "
            "use the version that applied it (or a newer one), or restore its files"
        )
    for status in found:
        if status.state == "edited":
            raise MigrationEdited(
                f"{status.detail}: restore it as it was, or accept it as it is with 'diglot migrate bless {status.id}'"
            )


def pending(tree: MigrationTree, applied: list[Applied]) -> list[Migration]:
    """The migrations to apply, in order; the errors of ``check``, and MigrationOutOfOrder."""
    check(tree, applied)
    there = {one.id for one in applied}
    missing = [migration for migration in tree if migration.id not in there]
    newest = next((id for id in reversed(tree.ids) if id in there), None)
    if missing and newest is not None and tree.ids.index(missing[0].id) < tree.ids.index(newest):
        raise MigrationOutOfOrder(
            f"{missing[0].file} is pending, but {newest}, which is newer, is applied: "
            "give it an id with the current time (in both trees), or roll back to before it"
        )
    return missing


def read_applied(rows: Rows, dialect: Dialect) -> list[Applied]:
    """The applied migrations, oldest first; [] for a database that was never migrated."""
    there = tables(rows, dialect)
    if APPLIED_TABLE not in there:
        return []
    found = rows((_APPLIED if CHECKSUM_TABLE in there else _APPLIED_ONLY)[dialect])
    return sorted((Applied(id, _utc(at), sha256, rollback) for id, at, sha256, rollback in found), key=_id)


def tables(rows: Rows, dialect: Dialect) -> set[str]:
    """Which of the tables that record migrations exist."""
    return {str(name) for (name,) in rows(_TABLES[dialect])}


def _id(one: Applied) -> str:
    return one.id


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _status(id: str, known: Migration | None, there: Applied | None) -> MigrationStatus:
    if there is None:
        return MigrationStatus(id, "pending", None)
    if known is None:
        return MigrationStatus(id, "unknown", there.applied_at)
    edited = _edited(known, there)
    return MigrationStatus(id, "edited" if edited else "applied", there.applied_at, edited)


def _edited(known: Migration, there: Applied) -> str:
    if there.sha256 is None:
        return f"{known.file} was applied without a checksum (by yoyo itself)"
    if there.sha256 != known.sha256:
        return f"{known.file} was changed after it was applied"
    if there.rollback_sha256 != known.rollback_sha256:
        file = known.rollback_file or f"the down migration of {known.id}"
        return f"{file} was changed after its migration was applied"
    return ""


_TABLES: dict[Dialect, Statement] = {
    "postgres": Statement(
        "migrate.tables",
        """/* diglot:migrate.tables */
        select cast(c.relname as text)
        from pg_catalog.pg_class as c
        inner join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
        where n.nspname = current_schema()
        and c.relname in ('_yoyo_migration', '_yoyo_version', 'diglot_migration_checksum')""",
    ),
    "sqlite": Statement(
        "migrate.tables",
        """/* diglot:migrate.tables */
        select name
        from sqlite_schema
        where
            type = 'table'
            and name in ('_yoyo_migration', '_yoyo_version', 'diglot_migration_checksum')""",
    ),
}
_APPLIED: dict[Dialect, Statement] = {
    "postgres": Statement(
        "migrate.applied",
        """/* diglot:migrate.applied */
        select
            m.migration_id,
            to_char(m.applied_at_utc, 'YYYY-MM-DD"T"HH24:MI:SS.US'),
            c.sha256,
            c.rollback_sha256
        from _yoyo_migration as m
        left join diglot_migration_checksum as c on c.migration_id = m.migration_id""",
    ),
    "sqlite": Statement(
        "migrate.applied",
        """/* diglot:migrate.applied */
        select m.migration_id, m.applied_at_utc, c.sha256, c.rollback_sha256
        from _yoyo_migration as m
        left join diglot_migration_checksum as c on c.migration_id = m.migration_id""",
    ),
}
_APPLIED_ONLY: dict[Dialect, Statement] = {
    "postgres": Statement(
        "migrate.applied_only",
        """/* diglot:migrate.applied_only */
        select
            m.migration_id,
            to_char(m.applied_at_utc, 'YYYY-MM-DD"T"HH24:MI:SS.US'),
            null,
            null
        from _yoyo_migration as m""",
    ),
    "sqlite": Statement(
        "migrate.applied_only",
        """/* diglot:migrate.applied_only */
        select m.migration_id, m.applied_at_utc, null, null
        from _yoyo_migration as m""",
    ),
}
