"""Vectors in one file, without any server: exact search with numpy in memory.

Every change is a frame of the log (log.py). Any number of processes can have the file open: a call first reads what the
others have added, and a search never blocks a writer. All vectors are in memory, so this is for up to a few hundred
thousand of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

import msgspec
import numpy as np

from diglot.errors import ConfigurationError, DatabaseDamaged, DatabaseFull, DatabaseUnavailable, StoreClosed
from diglot.statestore.vectors.checks import Checked
from diglot.statestore.vectors.log import Log
from diglot.statestore.vectors.matching import Tokens, Wanted, tokens
from diglot.statestore.vectors.providers import FilesystemOptions, Metric
from diglot.statestore.vectors.records import Match
from diglot.statestore.vectors.settings import VectorSettings
from diglot.statestore.vectors.store import l2_score
from diglot.stores.settings import PostgresSettings

if TYPE_CHECKING:
    from diglot.statestore.vectors.checks import Vector

DEFAULT_FOLDER = "./data/vectors"
COMPACT_FROM = 1 << 20
"""Bytes: a smaller file is left as it is. A larger one is compacted once more than half of it is obsolete."""
_BATCH = 1_000
BATCH_BYTES = 1 << 24
"""The bytes of records that a compaction writes as one change."""


class Kept(msgspec.Struct, frozen=True, array_like=True):
    id: str
    vector: bytes
    text: str
    metadata: dict[str, Any]


class Begin(msgspec.Struct, frozen=True, tag="begin"):
    """Format 1 had no marks after its frames; the first writer converts it to format 2."""

    format_now: ClassVar[int] = 2

    dimension: int
    metric: Metric
    format: Literal[1, 2] = 2


class Upsert(msgspec.Struct, frozen=True, tag="upsert"):
    records: list[Kept]


class Delete(msgspec.Struct, frozen=True, tag="delete"):
    ids: list[str]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Begin | Upsert | Delete).decode


def open_engine(
    settings: VectorSettings,
    _database: PostgresSettings | None = None,
    *,
    compact_from: int = COMPACT_FROM,
    batch_bytes: int = BATCH_BYTES,
) -> FilesystemEngine:
    """Raises ConfigurationError if the file has another dimension or metric; DatabaseUnavailable, DatabaseDamaged."""
    options = cast(FilesystemOptions, settings.typed_options())
    path = Path(settings.path or f"{DEFAULT_FOLDER}/{settings.id}.vectors")
    begin = Begin(settings.dimension, settings.metric)
    engine = FilesystemEngine(Log(path, _encode(begin), options.lock_timeout), begin, compact_from, batch_bytes)
    try:
        engine.count()
    except BaseException:
        engine.close()
        raise
    return engine


class FilesystemEngine:
    def __init__(self, log: Log, begin: Begin, compact_from: int, batch_bytes: int) -> None:
        self._compact_from = compact_from
        self._batch_bytes = batch_bytes
        self._log = log
        self._begin = begin
        self._lock = RLock()
        self._closed = False
        self._rows = Rows(begin.dimension)
        self._process = os.getpid()
        self._compact_beyond = 0
        self._format: int = Begin.format_now

    def upsert(self, records: list[Checked]) -> None:
        kept = [Kept(r.id, r.vector.tobytes(), r.text, r.metadata) for r in records]
        with self._current(write=True):
            self._change(Upsert(kept))

    def search(self, vector: Vector, top_k: int, wanted: Wanted) -> list[Match]:
        with self._current():
            rows = self._rows
            if not wanted:
                scores = self._scores(rows.vectors[: len(rows.ids)], vector)
                return [rows.match(place, float(scores[place])) for place in _largest(scores, top_k)]
            candidates = rows.matching(tokens(wanted))
            scores = self._scores(rows.vectors[candidates], vector)
            return [rows.match(int(candidates[place]), float(scores[place])) for place in _largest(scores, top_k)]

    def delete_ids(self, ids: list[str]) -> int:
        with self._current(write=True):
            return self._delete([id for id in ids if id in self._rows.places])

    def delete_matching(self, wanted: Wanted) -> int:
        with self._current(write=True):
            return self._delete([self._rows.ids[place] for place in self._rows.matching(tokens(wanted))])

    def count(self) -> int:
        with self._current():
            return len(self._rows.ids)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._log.close()
            self._rows = Rows(self._begin.dimension)

    def _delete(self, ids: list[str]) -> int:
        if ids:
            self._change(Delete(ids))
        return len(ids)

    def _change(self, change: Upsert | Delete) -> None:
        self._log.append(_encode(change))
        try:
            self._apply(change)
        except BaseException:  # interrupted: memory and file differ
            self._log.forget()
            raise
        size = self._log.size
        if size > max(self._compact_from, 2 * self._rows.bytes, self._compact_beyond):
            try:
                self._log.compact(self._everything())
            except (DatabaseFull, DatabaseUnavailable):
                # The change itself is on the disk, and the rest can wait: a full disk rarely has room again soon.
                self._compact_beyond = size + size // 2

    def _everything(self) -> Iterator[bytes]:
        rows = self._rows
        batch: list[Kept] = []
        size = 0
        for place in range(len(rows.ids)):
            batch.append(rows.kept(place))
            size += rows.size(place)
            if len(batch) == _BATCH or size > self._batch_bytes:
                yield _encode(Upsert(batch))
                batch, size = [], 0
        if batch:
            yield _encode(Upsert(batch))

    @contextmanager
    def _current(self, *, write: bool = False) -> Iterator[None]:
        """The block sees everything that other processes have acknowledged; to write, it has the file exclusively."""
        if self._process != os.getpid():
            # A forked child has its parent's descriptors, and so its parent's lock: it opens its own.
            self._process, self._lock = os.getpid(), RLock()
            self._log.open_again()
        with self._lock:
            if self._closed:
                raise StoreClosed
            self._follow()
            if not write:
                yield
                return
            with self._log.locked(write=True):
                if self._log.replaced():  # compacted just now: nobody else writes
                    self._reopen()
                self._catch_up(self._log.length())
                if self._format < Begin.format_now:
                    self._log.compact(self._everything())
                    self._format = Begin.format_now
                yield

    def _follow(self) -> None:
        """Read what was added, without the lock. The lock is needed only if the end of the file has no mark: a writer
        is just adding to it, or has died. When the file is opened, an acknowledged change may be there that lost its
        mark in a power cut; later there can be none."""
        opening = self._log.replaced()
        if opening:
            self._log.make()
            self._reopen()
        settled = self._log.settled()
        self._catch_up(settled)
        if self._log.length() <= settled:
            return
        if opening:
            with self._log.locked(write=False):
                self._catch_up(self._log.length())
        else:
            with self._log.while_nobody_writes() as alone:
                if alone:
                    self._catch_up(self._log.length())

    def _reopen(self) -> None:
        self._log.reopen()
        self._rows = Rows(self._begin.dimension)

    def _catch_up(self, size: int) -> None:
        """Apply the changes up to this size; after any error the next call reads the file from its start."""
        try:
            for frame in self._log.frames(size):
                self._apply(self._read(frame))
        except BaseException:
            self._log.forget()
            raise

    def _read(self, frame: bytes) -> Begin | Upsert | Delete:
        try:
            change: Begin | Upsert | Delete = _decode(frame)
        except msgspec.DecodeError as error:
            raise DatabaseDamaged(f"{self._log.path} is not a file of vectors, or is from a newer version") from error
        return change

    def _apply(self, change: Begin | Upsert | Delete) -> None:
        if isinstance(change, Upsert):
            for record in change.records:
                self._rows.put(record)
        elif isinstance(change, Delete):
            for id in change.ids:
                self._rows.remove(id)
        elif (change.dimension, change.metric) == (self._begin.dimension, self._begin.metric):
            self._format = change.format
        else:
            raise ConfigurationError(
                f"the vectors in {self._log.path} have dimension {change.dimension} and metric {change.metric!r}, not "
                f"{self._begin.dimension} and {self._begin.metric!r}: set those, or name another path"
            )

    def _scores(self, vectors: Any, vector: Vector) -> Any:
        if self._begin.metric == "l2":
            apart = vectors - vector  # not |a|² + |b|² - 2ab: that loses precision for near vectors
            return l2_score(np.sqrt(np.einsum("ij,ij->i", apart, apart)))
        return vectors @ vector


class Rows:
    """All records in memory; the last record moves to the place of a removed one."""

    def __init__(self, dimension: int) -> None:
        self.vectors: Any = np.empty((64, dimension), np.float32)
        self.ids: list[str] = []
        self.places: dict[str, int] = {}
        self.bytes = 0
        self._texts: list[str] = []
        self._metadata: list[dict[str, Any]] = []
        self._sizes: list[int] = []
        self._having: dict[tuple[str, str], set[int]] = {}
        """(name, token) → the places of the records that have it."""

    def put(self, record: Kept) -> None:
        size = len(_encode(record))
        place = self.places.get(record.id)
        if place is None:
            place = self.places[record.id] = len(self.ids)
            if place == len(self.vectors):
                self.vectors = np.concatenate([self.vectors, np.empty_like(self.vectors)])
            self.ids.append(record.id)
            self._texts.append(record.text)
            self._metadata.append(record.metadata)
            self._sizes.append(size)
        else:
            self.bytes -= self._sizes[place]
            self._unlist(place)
            self._texts[place], self._metadata[place], self._sizes[place] = record.text, record.metadata, size
        self.vectors[place] = np.frombuffer(record.vector, np.float32)
        self._list(place)
        self.bytes += size

    def remove(self, id: str) -> None:
        place = self.places.pop(id)
        self.bytes -= self._sizes[place]
        self._unlist(place)
        last = len(self.ids) - 1
        if place != last:
            self._unlist(last)
            self.vectors[place] = self.vectors[last]
            self.places[self.ids[last]] = place
        for column in (self.ids, self._texts, self._metadata, self._sizes):
            values = cast(list[Any], column)
            values[place] = values[last]
            values.pop()
        if place != last:
            self._list(place)

    def matching(self, wanted: Tokens) -> Any:
        """The places of the records that have, for each name, one of its tokens."""
        found = [
            set().union(*(self._having.get((name, token), ()) for token in values)) for name, values in wanted.items()
        ]
        return np.array(sorted(set.intersection(*found)), np.intp)

    def match(self, place: int, score: float) -> Match:
        metadata = {name: value[:] if type(value) is list else value for name, value in self._metadata[place].items()}
        return Match(self.ids[place], self._texts[place], metadata, score)

    def kept(self, place: int) -> Kept:
        return Kept(self.ids[place], self.vectors[place].tobytes(), self._texts[place], self._metadata[place])

    def size(self, place: int) -> int:
        return self._sizes[place]

    def _list(self, place: int) -> None:
        for name, values in tokens(self._metadata[place]).items():
            for token in values:
                self._having.setdefault((name, token), set()).add(place)

    def _unlist(self, place: int) -> None:
        for name, values in tokens(self._metadata[place]).items():
            for token in set(values):
                having = self._having[name, token]
                having.remove(place)
                if not having:
                    del self._having[name, token]


def _largest(scores: Any, top_k: int) -> list[int]:
    """The places of the largest, in any order."""
    if scores.size <= top_k:
        return list(range(scores.size))
    places: list[int] = np.argpartition(scores, -top_k)[-top_k:].tolist()
    return places
