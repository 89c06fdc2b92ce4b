"""The connections to a SQLite file: one writer, which needs turn and gate, and a pool of readers.

Only the writer checkpoints, and only inside the gate: the last connection to close does too, so closing passes the
gate as well. A file that was replaced under its name is never mixed with the one that was opened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from threading import get_ident
from time import sleep

from diglot.errors import (
    DatabaseDamaged,
    DatabaseError,
    DatabaseReadOnly,
    DatabaseUnavailable,
    DiglotError,
    LockTimeout,
    StoreClosed,
)
from diglot.stores.settings import SQLiteSettings
from diglot.stores.sqlite import fork
from diglot.stores.sqlite.connection import Link, Role, connect, read_pragma, use_wal
from diglot.stores.sqlite.errors import translate
from diglot.stores.sqlite.filesystem import refuse_network
from diglot.stores.sqlite.gate import Gate
from diglot.stores.sqlite.library import library
from diglot.stores.sqlite.locks import foreign_writer
from diglot.stores.sqlite.path import (
    Identity,
    checked,
    identity,
    look,
    look_only,
    make_file,
    make_folder,
    reading_uri,
    uri,
)
from diglot.stores.sqlite.pool import Readers
from diglot.stores.sqlite.trouble import Trouble
from diglot.stores.sqlite.turns import Turns


def again(error: DatabaseError) -> DatabaseError:
    """A copy of the error, to be raised again."""
    return type(error)(str(error))


def give_turn(turns: Turns, me: int) -> None:
    """Give the turn back, even if an interrupt comes meanwhile."""
    try:
        turns.release()
    except BaseException:
        if turns.owner == me:
            turns.release()
        raise


AT_GATE_WHEN_CLOSING = 0.5
"""Seconds."""
Give = Callable[[Link | None], None]


class FileConnections:
    """``idle`` are the free readers: take one, put it back; if it is empty, or returns None, call ``lease``."""

    def __init__(self, settings: SQLiteSettings) -> None:
        self.settings = settings
        self.path = checked(settings.path)
        self.location = str(self.path)
        self.trouble = Trouble(None if settings.read_only else self.path)
        self.turns = self._new_turns()
        self.ended: DatabaseError | None = None
        self._readers = self._new_readers()
        self.idle: SimpleQueue[Link | None] = self._readers.idle
        self._forking = self._quiet = False
        self.identity: Identity
        self._writer: Link | None = None
        self.identity, self._writer = self._open()

    # --- opening -------------------------------------------------------------------------------------------

    def _open(self) -> tuple[Identity, Link | None]:
        path = self.path
        found = look_only(path) if self.settings.read_only else look(path)
        if found is None:
            if self.settings.read_only or not self.settings.create:
                raise DatabaseUnavailable(f"there is no SQLite database at {path}: 'diglot migrate up' creates it")
            make_folder(path.parent)
            refuse_network(path.parent)
            with self._turn():
                make_file(path)
            found = look(path)
            if found is None:
                raise DatabaseUnavailable(f"the SQLite database {path} was removed while it was being created")
        else:
            refuse_network(path.parent)
        fork.refuse_inherited(found.identity)
        try:
            return found.identity, self._first(found.identity)
        except DatabaseDamaged as error:
            if not self.settings.read_only:
                with suppress(OSError):
                    path.chmod(found.mode)  # not one of our databases: leave it unchanged
            raise DatabaseDamaged(f"{path}: {error}") from error

    def _first(self, expected: Identity) -> Link | None:
        """The writer, once the file is known to be a database with a write-ahead log; None if it is only read."""
        link = self._connect("reader" if self.settings.read_only else "writer", expected)
        try:
            mode = read_pragma(link.connection, "journal_mode")
            if self.settings.read_only:
                link.connection.close()
                return None
            if mode != "wal":
                with self._turn():
                    self._refuse_replaced(expected)  # by a restore that was at the gate first
                    use_wal(link.connection)
        except BaseException as error:
            link.connection.close()
            if isinstance(error, library().Error):
                raise self.trouble.noted(translate(error, None)) from error
            raise
        return link

    def _connect(self, role: Role, expected: Identity) -> Link:
        address = reading_uri(self.path) if self.settings.read_only else uri(self.path)
        link = connect(address, role, self.settings, self.trouble)
        try:
            self._refuse_replaced(expected)
        except BaseException:
            link.connection.close()
            raise
        return link

    def _refuse_replaced(self, opened: Identity) -> None:
        if identity(self.path) != opened:
            raise DatabaseUnavailable(f"the SQLite database {self.path} was removed or replaced while it was open")

    def _new_turns(self) -> Turns:
        return Turns(None if self.settings.read_only else Gate(self.path.with_name(self.path.name + "-gate")))

    def _new_readers(self) -> Readers:
        settings = self.settings
        return Readers(lambda: self._connect("reader", self.identity), settings.readers, settings.lock_timeout)

    # --- acquire and release ----------------------------------------------------------------------------

    def acquire(self, me: int, timeout: float, query: str | None = None) -> Link:
        """The writer, exclusively; always ``release`` it. LockTimeout after ``timeout`` seconds."""
        self._refuse_ended()
        if self.settings.read_only:
            raise DatabaseReadOnly(f"the SQLite database {self.path} was opened for reading only", query=query)
        try:
            self.turns.acquire(me, timeout)
        except TimeoutError as error:
            text = f"the database could not be written within {timeout:g} s: {self._who_writes(me, error)}"
            raise LockTimeout(text, query=query) from error
        link = self._writer
        if link is None:
            if self.ended is not None:
                self.turns.close_gate()
            self._refuse_ended()  # it was closed while this thread waited
            look(self.path)  # a connection that is opened while the file is read-only stays read-only
            link = self._writer = self._connect("writer", self.identity)
        elif link.connection.in_transaction:  # an interrupt came between a transaction's last step and its end
            link.run("rollback")
        return link

    def _who_writes(self, me: int, error: TimeoutError) -> str:
        """The thread that has the turn may itself wait for a program that ignores the gate, like the sqlite3 shell."""
        foreign = foreign_writer(self.path) if self.turns.owner != me else None
        if foreign is None:
            return str(error)
        return f"another program (process {foreign}) holds a lock on the database"

    def release(self, me: int) -> None:
        """Give the writer back, if it is this thread's."""
        turns = self.turns
        if turns.owner == me:
            try:
                if self._writer is not None and self._writer.refused:
                    self.drop_writer()  # the file may be writable by now, but this connection stays read-only
            finally:
                give_turn(turns, me)

    def drop(self, link: Link, me: int) -> None:
        """Close a broken connection instead of releasing it."""
        if link is self._writer:
            self.drop_writer()
            self.release(me)
        else:
            self._readers.discard(link)

    def lease(self) -> tuple[Link, Give]:
        """A reader, and how to give it back."""
        while True:
            self._refuse_ended()
            readers = self._readers
            link = readers.lease()
            if link is not None:
                return link, readers.idle.put
            sleep(0.001)  # the pool is being closed, or replaced because of a fork

    def drop_writer(self) -> None:
        """Close the writer, which a caller has left unusable; the next caller opens another."""
        link, self._writer = self._writer, None
        if link is not None:
            link.connection.close()

    @property
    def readers(self) -> tuple[int, int]:
        """How many are open, and how many in use."""
        opened = len(self._readers.links)
        return opened, max(0, opened - self._readers.idle.qsize())

    def _refuse_ended(self) -> None:
        if self.ended is not None:
            raise again(self.ended)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        me, timeout = get_ident(), self.settings.lock_timeout
        try:
            self.turns.acquire(me, timeout)
            yield
        except TimeoutError as error:
            text = f"the database could not be opened within {timeout:g} s: {self._who_writes(me, error)}"
            raise LockTimeout(text) from error
        finally:
            self.release(me)

    # --- closing -------------------------------------------------------------------------------------------

    def close(self, me: int, farewell: Callable[[Link], None]) -> None:
        """Wait for running statements, then close everything. LockTimeout if another thread's transaction goes on."""
        if self.ended is not None:
            return
        self.ended = StoreClosed()
        try:
            if not self._quieten(me, farewell):
                self.ended = None
                raise LockTimeout("another thread still has a transaction or a snapshot open: end it, then close again")
        finally:
            self.release(me)

    def _quieten(self, me: int, farewell: Callable[[Link], None]) -> bool:
        """Take the turn and every reader and close them; the turn stays ours. False if some were not free in time."""
        timeout = self.settings.lock_timeout
        # Without the gate (another process keeps it for long) it is safe too: SQLite lets only the very last
        # connection of all processes checkpoint as it closes.
        with suppress(TimeoutError, DiglotError):
            self.turns.acquire(me, timeout, AT_GATE_WHEN_CLOSING)
        if self.turns.owner != me:
            return False
        taken = self._readers.take_all(timeout)
        if taken is None:
            return False
        for link in taken:
            link.connection.close()
        gate = self.turns.gate
        if self._writer is not None and gate is not None and gate.held:
            farewell(self._writer)
        self.drop_writer()
        self.turns.close_gate()
        return True

    # --- forks (fork says why) ----------------------------------------------------------------------

    def before_fork(self, busy: bool) -> None:
        """Close everything, unless this thread itself has a transaction open (``busy``)."""
        self._forking = not busy
        self._quiet = not busy and self._quieten(get_ident(), lambda _: None)

    def after_fork_in_parent(self) -> None:
        """Open again whatever is needed."""
        if self._quiet:
            self._readers = self._new_readers()
            self.idle = self._readers.idle
        if self._forking:
            self.release(get_ident())

    def has_inherited(self) -> bool:
        """In the child: connections were open at the fork."""
        return not self._quiet

    def after_fork_in_child(self, inherited: bool) -> None:
        """Start afresh; if connections to the file were ``inherited``, refuse everything."""
        old, self.turns = self.turns, self._new_turns()
        if inherited:
            self.ended = DatabaseUnavailable(fork.INHERITED)
            for link in (*self._readers.links, self._writer):
                if link is not None:
                    fork.keep_for_ever(link.connection)
        old.close_gate()  # the child must not hold it after the parent dies
        self._readers = self._new_readers()
        self.idle = self._readers.idle
