"""What a fork does to SQLite, and how a store survives it.

The library keeps one record per file of the locks that this process holds. A child inherits the record, not the
locks: even a new connection in it believes that it holds them, so the last process to close deletes the log
under it and acknowledged rows are lost (reproduced on both libraries). So every store closes its
connections just before a fork, when nothing runs on them, and parent and child open new ones. If that was not
possible, because a transaction was open, the child refuses to open that file at all.
"""

from __future__ import annotations

import ctypes
import functools
import os
import weakref
from typing import TYPE_CHECKING, Any, Protocol

from diglot.errors import DatabaseUnavailable
from diglot.stores.sqlite.path import Identity

if TYPE_CHECKING:
    import sqlite3


class Forkable(Protocol):
    """A store that is notified of forks."""

    @property
    def identity(self) -> Identity | None:
        """The file; None for a database in memory."""
        ...

    def before_fork(self) -> None: ...

    def after_fork_in_parent(self) -> None: ...

    def after_fork_in_child(self, inherited: bool) -> None:
        """``inherited``: connections to the file were open at the fork, this store's or another's."""
        ...

    def has_inherited(self) -> bool:
        """In the child: connections were still open at the fork."""
        ...


# Global, because SQLite's record of locks is too: the open stores, and the files that this process, a fork's child,
# must not open.
_open: dict[int, weakref.ref[Forkable]] = {}
_inherited: set[Identity] = set()


def watch(store: Forkable) -> None:
    """Notify this store of every fork during its lifetime."""
    _register()
    key = id(store)
    _open[key] = weakref.ref(store, lambda _: _open.pop(key, None))


def forget(store: Forkable) -> None:
    _open.pop(id(store), None)


def refuse_inherited(identity: Identity) -> None:
    """DatabaseUnavailable if this process was forked while the file was in use."""
    if identity in _inherited:
        raise DatabaseUnavailable(INHERITED)


INHERITED = (
    "this process was forked while a transaction was open on the SQLite database, and can't use that file safely: "
    "fork first, or outside transactions"
)


def keep_for_ever(connection: sqlite3.Connection) -> None:
    """Keep it from finalizers: closing an inherited connection in the child would undo the parent's transaction."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))


@functools.cache
def _register() -> None:
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)


def _stores() -> list[Any]:
    return [store for reference in list(_open.values()) if (store := reference()) is not None]


def _before() -> None:
    for store in _stores():
        store.before_fork()


def _in_parent() -> None:
    for store in _stores():
        store.after_fork_in_parent()


def _in_child() -> None:
    stores = _stores()
    _inherited.update(store.identity for store in stores if store.identity and store.has_inherited())
    for store in stores:
        store.after_fork_in_child(store.identity in _inherited)
