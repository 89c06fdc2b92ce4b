"""Copies the rows of one database into another, PostgreSQL or SQLite, and verifies the copy.

diglot.ops.copy(project, source, target)

The source is read in one snapshot, so it may change meanwhile. The target is filled in one transaction, which is
committed only if each table has the same content as in the snapshot (content.py): an interrupted copy leaves the target
as it was, and the next copy starts over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

import msgspec

from diglot.errors import CopyRefused, DigestMismatch
from diglot.ops.content import Content, Digest, TableFields, read_content, read_rows, refuse_hidden_rows, rows_from
from diglot.ops.fitting import Misfit, misfits
from diglot.ops.loading import Load, loading
from diglot.ops.pairs import Pair, match
from diglot.ops.progress import Report, Step, silent
from diglot.ops.settings import patient
from diglot.ops.statements import statement
from diglot.schema.model import Column
from diglot.schema.read import read_schema, read_within
from diglot.sql.identifiers import quoted
from diglot.sql.session import Batches, Session, Statement
from diglot.stores import open_store
from diglot.stores.settings import PostgresSettings, SQLiteSettings
from diglot.stores.store import Store

if TYPE_CHECKING:
    from diglot.project import Project

Settings = SQLiteSettings | PostgresSettings
LARGE = 10_000
"""From this many rows, a copy builds indexes at the end, not row by row."""


class TableCopied(msgspec.Struct, frozen=True):
    """``hash`` is that of the table's content and the same on both sides."""

    name: str
    rows: int
    hash: str


class Copied(msgspec.Struct, frozen=True):
    """What a copy did. ``left_out``: tables of the source that were not copied."""

    source: str
    target: str
    tables: list[TableCopied]
    left_out: list[str] = []
    migrated: list[str] = []

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)


def copy(
    project: Project | None,
    source: Settings,
    target: Settings,
    *,
    replace: bool = False,
    leave_out: Sequence[str] = (),
    timeout: float = 60.0,
    large: int = LARGE,
    report: Report = silent,
) -> Copied:
    """Copy every row of ``source`` into ``target``, which must have no rows unless ``replace``.

    The project's migrations are applied to a target without a schema. ``leave_out``: source tables that are not copied.
    ``timeout``: seconds to wait until nobody else migrates or loads the target. ``large``: the number of rows from
    which indexes are built at the end.

    Raises CopyRefused if the schemas do not match or the target has rows, RowRefused or ConstraintViolation for a row
    that the target refuses, DigestMismatch if a table is not the same afterwards. The target is then unchanged.
    """
    with open_store(patient(source)) as reading, open_store(patient(target, create=True)) as writing:
        if reading.location == writing.location:
            raise CopyRefused(f"source and target are the same database: {reading.location}")
        migrated = same_version(project, reading, writing, timeout)
        with reading.snapshot() as snapshot:
            pairs, left_out = match(read_within(snapshot, reading.location), read_schema(writing), leave_out)
            with loading(writing, timeout) as load:
                _refuse_rows(load, pairs, replace, writing)
                sent = _load(snapshot, pairs, load, large, report)
                _compare(sent, read_content(load, [pair.target for pair in pairs], report))
    tables = [TableCopied(name, content.rows, content.hash) for name, content in sent.items()]
    return Copied(reading.location, writing.location, tables, left_out, migrated)


def try_copy(
    project: Project | None,
    source: Settings,
    target: Settings,
    *,
    leave_out: Sequence[str] = (),
    report: Report = silent,
) -> Iterator[Misfit]:
    """Every row of ``source`` that ``target`` would refuse. Neither is changed; the target must have its schema.

    Raises CopyRefused as ``copy`` does, but not if the target has rows.
    """
    with open_store(patient(source)) as reading, open_store(patient(target)) as writing:
        same_version(project, reading, writing, timeout=0.0, migrate=False)
        with reading.snapshot() as snapshot:
            pairs, _ = match(read_within(snapshot, reading.location), read_schema(writing), leave_out)
            yield from misfits(snapshot, pairs, writing, report)


# --- details -----------------------------------------------------------------------------------------------


def same_version(
    project: Project | None, source: Store, target: Store, timeout: float, *, migrate: bool = True
) -> list[str]:
    """Bring the target to the source's migrations; returns the ids of those that were applied.

    Raises CopyRefused if a migration is edited or unknown, if the target has one that the source lacks, or if it lacks
    one and ``migrate`` is false.
    """
    if project is None or project.migrations is None:
        return []
    from diglot.database import utc_now
    from diglot.migrate.runner import Migrator

    migrators = [
        Migrator(store, project.migration_tree(store.dialect), timeout=timeout, clock=utc_now)
        for store in (source, target)
    ]
    applied: list[list[str]] = []
    for store, migrator in zip((source, target), migrators, strict=True):
        statuses = migrator.status()
        wrong = next((one for one in statuses if one.state in ("edited", "unknown")), None)
        if wrong is not None:
            raise CopyRefused(
                f"{store.location}: the migration {wrong.id} is {wrong.state}: see 'diglot migrate status'"
            )
        applied.append([one.id for one in statuses if one.state == "applied"])
    if not applied[0]:
        raise CopyRefused(f"{source.location} has no migrations of this project: is it the right database?")
    newer = [id for id in applied[1] if id not in applied[0]]
    if newer:
        raise CopyRefused(
            f"{target.location} has the migration {newer[0]}, which {source.location} lacks: migrate the source first"
        )
    if len(applied[0]) == len(applied[1]):
        return []
    if not migrate:
        lacking = next(id for id in applied[0] if id not in applied[1])
        raise CopyRefused(f"{target.location} lacks the migration {lacking}: run 'diglot migrate up' on it first")
    return [migration.id for migration in migrators[1].up(target=applied[0][-1])]


def _refuse_rows(load: Load, pairs: Sequence[Pair], replace: bool, target: Store) -> None:
    if replace:
        return
    found = [name for name, some in load.counts([pair.target for pair in pairs]).items() if some]
    if found:
        raise CopyRefused(
            f"{target.location} has rows in {', '.join(found)}: "
            "copy into an empty database, or replace them with --replace"
        )


def _load(snapshot: Session, pairs: Sequence[Pair], load: Load, large: int, report: Report) -> dict[str, Content]:
    totals = {pair.target.name: _count(snapshot, pair.source) for pair in pairs}
    refuse_hidden_rows(snapshot, [pair.source for pair in pairs])
    load.prepare([pair.target for pair in pairs], large=sum(totals.values()) >= large)
    sent = {}
    for pair in pairs:
        digest = Digest(pair.source)
        with closing(_sent(snapshot, pair, digest, totals[pair.target.name], report)) as batches:
            load.load(pair.target, batches)
        sent[pair.target.name] = digest.content()
    report(Step("building indexes and checking foreign keys", 0, None))
    load.finish(last_numbers(snapshot, pairs))
    return sent


def _sent(snapshot: Session, pair: Pair, digest: Digest, total: int, report: Report) -> Batches:
    with closing(read_rows(snapshot, pair.source)) as batches:
        for rows in batches:
            digest.add(rows)
            yield rows
            report(Step(f"{pair.source.name}: copying", digest.rows, total))


def _count(session: Session, table: TableFields) -> int:
    text = f"/* diglot:ops.count_rows */ select count(*) from {rows_from(table)}"
    found: int = session.rows(Statement("ops.count_rows", text))[0][0]
    return found


def last_numbers(snapshot: Session, pairs: Sequence[Pair]) -> dict[tuple[str, str], int]:
    """The last number assigned in each numbered column of the target, by table and column."""
    found = {}
    for pair in pairs:
        for ours, theirs in zip(pair.source.fields, pair.target.fields, strict=True):
            if theirs.column.identity:
                last = _last_number(snapshot, pair.source, ours.column)
                if last is not None:
                    found[pair.target.name, theirs.column.name] = last
    return found


def _last_number(snapshot: Session, table: TableFields, column: Column) -> int | None:
    """The sequence's last number, which may be ahead of the rows: a number is not assigned twice."""
    text = f"/* diglot:ops.greatest */ select max({quoted(column.name)}) from {rows_from(table)}"
    numbers = [snapshot.rows(Statement("ops.greatest", text))[0][0]]
    if column.identity in ("always", "by default", "autoincrement"):
        rows = snapshot.rows(statement(table.dialect, "last_number"), (table.name, column.name))
        numbers += [row[0] for row in rows]
    return max((number for number in numbers if number is not None), default=None)


def _compare(sent: dict[str, Content], arrived: dict[str, Content]) -> None:
    for name, content in sent.items():
        found = arrived[name]
        if found != content:
            raise DigestMismatch(
                f"{name} is not the same in the target: {content.rows:,} rows with the hash {content.hash} became "
                f"{found.rows:,} rows with the hash {found.hash}; nothing was copied"
            )
