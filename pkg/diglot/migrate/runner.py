"""Brings a database to the state of a migration tree, safely even if others try the same at the same time.

The pending migrations are determined inside the store's migration lock; a migration, its mark, its log line and its
checksums are one transaction on one connection. So a process may be killed anywhere, and any number of them may
start at once: each migration is there once, as a whole, or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from diglot.errors import MigrationError
from diglot.migrate.loss import rows_lost
from diglot.migrate.status import Applied, Clock, MigrationStatus, check, pending, read_applied, statuses
from diglot.migrate.tree import Migration, MigrationTree
from diglot.stores.store import Store

if TYPE_CHECKING:
    from diglot.migrate.execution import Execution


class Migrator:
    """The migrations of one database.

    ``timeout``: seconds to wait for the migration lock, and for a table that others have locked.
    ``statement_timeout``: seconds that one statement may take (PostgreSQL). ``clock`` returns the time to record.
    """

    def __init__(
        self,
        store: Store,
        tree: MigrationTree,
        *,
        timeout: float,
        clock: Clock,
        statement_timeout: float = 3600.0,
    ) -> None:
        if store.dialect != tree.dialect:
            raise MigrationError(f"{tree.folder} is for {tree.dialect}, the database is {store.dialect}")
        self._store = store
        self._tree = tree
        self._timeout = timeout
        self._clock = clock
        self._statement_timeout = statement_timeout

    def status(self) -> list[MigrationStatus]:
        """Every migration of the files and of the database, in order. Changes nothing, needs no right to write."""
        return statuses(self._tree, self._applied())

    def pending(self) -> list[Migration]:
        """What ``up`` would apply, in two reads; its errors if files and database don't match."""
        return pending(self._tree, self._applied())

    def up(self, target: str | None = None, dry_run: bool = False) -> list[Migration]:
        """Apply what is pending, up to and with ``target``; returns what this call applied, or would apply.

        MigrationUnknown, MigrationEdited, MigrationOutOfOrder, MigrationTreeError: nothing was done.
        MigrationFailed: that migration was undone, those before it stay applied. LockTimeout: others held the lock.
        """

        def wanted(applied: list[Applied]) -> list[Migration]:
            return [migration for migration in pending(self._tree, applied) if migration.id in up_to]

        ids = self._tree.ids
        up_to = ids if target is None else ids[: ids.index(self._tree.get(target).id) + 1]
        return self._carry_out(wanted, dry_run, down=False)

    def down(self, count: int = 1, dry_run: bool = False) -> list[Migration]:
        """Roll back the newest ``count`` that are applied, newest first; returns what was, or would be, rolled back.

        MigrationError, with nothing rolled back, if one of them has no down migration.
        """

        def wanted(applied: list[Applied]) -> list[Migration]:
            check(self._tree, applied)
            there = {one.id for one in applied}
            newest = [migration for migration in reversed(self._tree.migrations) if migration.id in there][:count]
            for migration in newest:
                if migration.rollback_file is None:
                    migration.rollback_statements()
            return newest

        if count < 1:
            raise MigrationError(f"{count} migrations can't be rolled back: give 1 or more")
        return self._carry_out(wanted, dry_run, down=True)

    def bless(self, ids: Sequence[str] | None = None) -> list[Migration]:
        """Accept files that were edited after they were applied, all or those named; returns what was accepted."""
        for id in ids or ():
            self._tree.get(id)
        with self._locked() as execution:
            found = {status.id: status.state for status in statuses(self._tree, execution.applied())}
            not_applied = [id for id in ids or () if found[id] == "pending"]
            if not_applied:
                raise MigrationError(f"{not_applied[0]} is not applied, so there is nothing to accept")
            edited = [
                migration
                for migration in self._tree
                if found[migration.id] == "edited" and (ids is None or migration.id in ids)
            ]
            execution.accept(edited)
        return edited

    def data_loss(self, migration: Migration) -> list[str]:
        """What rolling it back would lose now: tables with rows, columns with values. [] if nothing."""
        return rows_lost(self._store, migration)

    def _carry_out(
        self, wanted: Callable[[list[Applied]], list[Migration]], dry_run: bool, *, down: bool
    ) -> list[Migration]:
        first_look = wanted(self._applied())
        if dry_run or not first_look:
            return first_look
        done = []
        with self._locked() as execution:
            for migration in wanted(execution.applied()):
                execution.roll_back(migration) if down else execution.apply(migration)
                done.append(migration)
        return done

    def _applied(self) -> list[Applied]:
        return read_applied(self._store.rows, self._store.dialect)

    @contextmanager
    def _locked(self) -> Iterator[Execution]:
        from diglot.migrate.execution import Execution  # imports yoyo, which is not needed if nothing is pending

        with self._store.migration_connection(self._timeout) as connection:
            yield Execution(connection, self._tree.dialect, self._clock, self._timeout, self._statement_timeout)


def sql(migrations: Sequence[Migration], *, down: bool = False) -> str:
    """The text that would run, in this order, each migration under its file's name."""
    parts = [
        f"-- {m.rollback_file if down else m.file}\n{(m.rollback_text if down else m.text).strip()}\n"
        for m in migrations
    ]
    return "\n".join(parts)
