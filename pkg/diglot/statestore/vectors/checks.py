"""Checks the arguments for a collection before an engine gets them: engines disagree about what is wrong.

Redis accepts NaN, pgvector refuses it, numpy ranks it nearest of all. What any of them would refuse or change is
refused here, with the path of the value, as in ``records[3].vector``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, cast

import msgspec
import numpy as np

from diglot.errors import InvalidValue
from diglot.sql.canonical_json import check_text
from diglot.statestore.vectors.matching import check_metadata
from diglot.statestore.vectors.records import Record

if TYPE_CHECKING:
    import numpy.typing as npt

    Vector = npt.NDArray[np.float32]

MAX_ID = 255
MAX_TEXT = 1_000_000
MAX_TOP_K = 1_000
MAX_COMPONENT = 1e15
MAX_SCORE = 1e300
_AT_ONCE = 1_000
BATCH_BYTES = 2_000_000


class Checked(msgspec.Struct, frozen=True):
    """A record that every engine accepts. ``size``: approximately the bytes of its text and its metadata."""

    id: str
    vector: Any
    text: str
    metadata: dict[str, Any]
    size: int


def check_records(records: Iterable[Record], dimension: int, *, directed: bool) -> list[Checked]:
    """``directed``: only the direction matters, so a vector can't be all zeros."""
    if isinstance(records, str | bytes | Mapping) or not isinstance(records, Iterable):
        raise InvalidValue("records", f"a list of records is needed, not {type(records).__name__}")
    checked: list[Checked] = []
    seen: set[str] = set()
    remaining = iter(records)
    while some := list(islice(remaining, _AT_ONCE)):
        first = len(checked)
        vectors = check_vectors(
            [_record(record, first + number).vector for number, record in enumerate(some)],
            dimension,
            lambda number, first=first: f"records[{first + number}].vector",  # type: ignore[misc]
            directed=directed,
        )
        for number, (record, vector) in enumerate(zip(some, vectors, strict=True), first):
            path = f"records[{number}]"
            id = check_id(record.id, f"{path}.id")
            if id in seen:
                raise InvalidValue(f"{path}.id", f"{id!r} appears twice in this batch")
            seen.add(id)
            text = _check_long_text(record.text, f"{path}.text")
            metadata, size = check_metadata(record.metadata, f"{path}.metadata")
            checked.append(Checked(id, vector, text, metadata, len(text) + size))
    return checked


def check_vector(value: Any, dimension: int, path: str, *, directed: bool) -> Vector:
    """``check_vectors`` for one vector."""
    one: Vector = check_vectors([value], dimension, lambda _: path, directed=directed)[0]
    return one


def check_vectors(values: list[Any], dimension: int, path: Callable[[int], str], *, directed: bool) -> Any:
    """The vectors as rows of 32-bit floats, of length 1 if only the direction matters.

    Raises InvalidValue for a wrong length, non-numbers, NaN, infinities, and numbers whose square does not fit into 32
    bits.
    """
    rows = np.empty((len(values), dimension))
    for number, value in enumerate(values):
        try:
            given = np.asarray(value)
        except (ValueError, TypeError):
            given = np.asarray(None)
        if given.ndim != 1 or (given.size and given.dtype.kind not in "fiu"):
            raise InvalidValue(path(number), "a flat list of numbers is needed")
        if given.size != dimension:
            raise InvalidValue(path(number), f"it has {given.size} dimensions, but this collection has {dimension}")
        # As 64-bit floats: in 16 bits the limit is infinity, and abs() of the integer -2^63 is negative.
        rows[number] = given
    sound = np.abs(rows) <= MAX_COMPONENT
    if not sound.all():
        number, place = np.argwhere(~sound)[0]
        raise InvalidValue(
            f"{path(number)}[{place}]", f"{rows[number, place]} is not a finite number within ±{MAX_COMPONENT:.0e}"
        )
    if not directed:
        return rows.astype(np.float32)
    largest = np.abs(rows).max(axis=1, keepdims=True)
    if not largest.all():
        raise InvalidValue(path(int(largest.argmin())), "a vector of all zeros has no direction, so no cosine")
    rows /= largest  # first: otherwise the squares of small numbers would underflow
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def in_batches(records: list[Checked], most: int, most_bytes: int = BATCH_BYTES) -> Iterator[list[Checked]]:
    """Batches for one request each: at most ``most`` records, and not many more than ``most_bytes`` bytes."""
    batch: list[Checked] = []
    size = 0
    for record in records:
        batch.append(record)
        size += record.size + record.vector.nbytes
        if len(batch) == most or size > most_bytes:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def check_id(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise InvalidValue(path, f"text is needed, not {type(value).__name__}")
    check_text(value, path)
    if not 1 <= len(value) <= MAX_ID:
        raise InvalidValue(path, f"an id has 1 to {MAX_ID} characters, not {len(value)}")
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise InvalidValue(path, "an id has no control characters")
    return value


def check_top_k(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | Integral) or not 1 <= int(value) <= MAX_TOP_K:
        raise InvalidValue("top_k", f"use a whole number from 1 to {MAX_TOP_K}")
    return int(value)


def check_min_score(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, float | Real) or not abs(cast(float, value)) <= MAX_SCORE:
        raise InvalidValue("min_score", "use a finite number")
    return float(value)


def check_ids(values: Any) -> list[str]:
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise InvalidValue("ids", "a list of ids is needed")
    return list(dict.fromkeys(check_id(value, f"ids[{number}]") for number, value in enumerate(values)))


def _record(value: Any, number: int) -> Record:
    if not isinstance(value, Record):
        raise InvalidValue(f"records[{number}]", f"a Record is needed, not {type(value).__name__}")
    return value


def _check_long_text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise InvalidValue(path, f"text is needed, not {type(value).__name__}")
    if len(value) > MAX_TEXT:
        raise InvalidValue(path, f"at most {MAX_TEXT} characters, not {len(value)}")
    check_text(value, path)
    return value
