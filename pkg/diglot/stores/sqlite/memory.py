"""A SQLite database in memory: one connection, for which all threads take turns, reads too.

It is ``query_only`` except during writes, so that a statement that is declared as a read but writes is refused here as
on a file.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import get_ident

from diglot.errors import DatabaseError, DatabaseUnavailable, LockTimeout, StoreClosed
from diglot.stores.settings import SQLiteSettings
from diglot.stores.sqlite import fork
from diglot.stores.sqlite.connection import Link, connect
from diglot.stores.sqlite.file import Give, again, give_turn
from diglot.stores.sqlite.path import MEMORY, Identity
from diglot.stores.sqlite.trouble import Trouble
from diglot.stores.sqlite.turns import Turns


class MemoryConnections:
    """As ``FileConnections``, with one connection for everything; ``idle`` is always empty."""

    location = MEMORY
    identity: Identity | None = None

    def __init__(self, settings: SQLiteSettings) -> None:
        self.settings = settings
        self.turns = Turns(None)
        self.idle: SimpleQueue[Link | None] = SimpleQueue()
        self.ended: DatabaseError | None = None
        self.trouble = Trouble(None)
        self._link = connect(MEMORY, "memory", settings, self.trouble)

    def acquire(self, me: int, timeout: float, query: str | None = None) -> Link:
        """The connection, to write; always ``release`` it. LockTimeout after ``timeout`` seconds."""
        link = self._acquire(me, timeout, query)
        link.run("pragma query_only = 0")
        return link

    def release(self, me: int) -> None:
        """Give the connection back, if it is this thread's."""
        if self.turns.owner == me:
            try:
                if self.ended is None:
                    self._link.run("pragma query_only = 1")
            finally:
                give_turn(self.turns, me)

    def drop(self, link: Link, me: int) -> None:
        """Close the connection instead of releasing it: the data is gone."""
        self.drop_writer()
        self.release(me)

    def lease(self) -> tuple[Link, Give]:
        """The connection, to read, and how to give it back."""
        me = get_ident()
        try:
            return self._acquire(me, self.settings.lock_timeout, None), lambda _: self.release(me)
        except BaseException:
            self.release(me)
            raise

    def drop_writer(self) -> None:
        """Close the only connection: the data is gone."""
        self._link.connection.close()
        self.ended = DatabaseUnavailable("the connection of the database in memory was closed: its data is gone")

    @property
    def readers(self) -> tuple[int, int]:
        """How many are open and in use: the one connection counts as the writer."""
        return 0, 0

    def close(self, me: int, farewell: Callable[[Link], None]) -> None:
        """Wait for running statements, then close. LockTimeout if a transaction of another thread does not end."""
        if self.ended is not None:
            return
        try:
            self._acquire(me, self.settings.lock_timeout, None)
            self.ended = StoreClosed()
            self._link.connection.close()
        except LockTimeout as error:
            raise LockTimeout(
                "another thread still has a transaction or a snapshot open: end it, then close again"
            ) from error
        finally:
            self.release(me)

    def before_fork(self, busy: bool) -> None:
        """Does nothing: the memory is copied, and the child must not use its copy."""

    def after_fork_in_parent(self) -> None:
        """Does nothing: nothing has changed."""

    def has_inherited(self) -> bool:
        return True

    def after_fork_in_child(self, inherited: bool) -> None:
        self.turns = Turns(None)
        self.ended = DatabaseUnavailable(
            "a SQLite database in memory belongs to the process that opened it, and this is a fork's child: use a file"
        )
        fork.keep_for_ever(self._link.connection)

    def _acquire(self, me: int, timeout: float, query: str | None) -> Link:
        try:
            self.turns.acquire(me, timeout)
        except TimeoutError as error:
            text = f"the database in memory was not free within {timeout:g} s: {error}"
            raise LockTimeout(text, query=query) from error
        if self.ended is not None:
            raise again(self.ended)
        if self._link.connection.in_transaction:  # an interrupt came between a transaction's last step and its end
            self._link.run("rollback")
        return self._link
