"""What a collection is given, checked before an engine is asked: engines disagree about what is wrong.

Redis takes NaN, pgvector refuses it, numpy finds it nearer than anything: so what one of them would refuse or change
is refused here, with the path of the value, as in ``records[3].vector``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from diglot.errors import InvalidValue
from diglot.sql.canonical_json import check_text
from diglot.vectors.matching import check_metadata
from diglot.vectors.records import Record

if TYPE_CHECKING:
    import numpy.typing as npt

    Vector = npt.NDArray[np.float32]

MAX_ID = 255
MAX_TEXT = 1_000_000
MAX_TOP_K = 1_000
MAX_COMPONENT = 1e15


class Checked(msgspec.Struct, frozen=True):
    """A record that every engine takes."""

    id: str
    vector: Any
    text: str
    metadata: dict[str, Any]


def check_records(records: Iterable[Record], dimension: int, *, directed: bool) -> list[Checked]:
    """``directed``: only the direction counts, so a vector can't be all zeros."""
    checked: dict[str, Checked] = {}
    for number, record in enumerate(records):
        path = f"records[{number}]"
        if not isinstance(record, Record):
            raise InvalidValue(path, f"a Record is needed, not {type(record).__name__}")
        id = check_id(record.id, f"{path}.id")
        if id in checked:
            raise InvalidValue(f"{path}.id", f"{id!r} stands twice in this batch")
        checked[id] = Checked(
            id,
            check_vector(record.vector, dimension, f"{path}.vector", directed=directed),
            _check_long_text(record.text, f"{path}.text"),
            check_metadata(record.metadata, f"{path}.metadata"),
        )
    return list(checked.values())


def check_vector(value: Any, dimension: int, path: str, *, directed: bool) -> Vector:
    """As 32 bit floats, and of length 1 where only the direction counts.

    InvalidValue for another length, for what is no number, for NaN, infinities and what has no square of 32 bits.
    """
    try:
        given = np.asarray(value)
    except ValueError:
        given = np.asarray(None)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "fiu"):
        raise InvalidValue(path, "a flat list of numbers is needed")
    if given.size != dimension:
        raise InvalidValue(path, f"it has {given.size} dimensions, and this collection has {dimension}")
    bad = np.flatnonzero(~(np.abs(given) <= MAX_COMPONENT))
    if bad.size:
        raise InvalidValue(f"{path}[{bad[0]}]", f"{given[bad[0]]} is not a finite number within ±{MAX_COMPONENT:.0e}")
    if not directed:
        return given.astype(np.float32)
    exact = given.astype(np.float64)
    largest = np.abs(exact).max()
    if not largest:
        raise InvalidValue(path, "all zeros have no direction, so no cosine")
    exact /= largest  # first, so that the squares of small numbers are not lost
    unit: Vector = (exact / np.linalg.norm(exact)).astype(np.float32)
    return unit


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
    if type(value) is not int or not 1 <= value <= MAX_TOP_K:
        raise InvalidValue("top_k", f"use a whole number from 1 to {MAX_TOP_K}")
    return value


def check_min_score(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise InvalidValue("min_score", "use a finite number")
    return float(value)


def check_ids(values: Any) -> list[str]:
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise InvalidValue("ids", "a list of ids is needed")
    return list(dict.fromkeys(check_id(value, f"ids[{number}]") for number, value in enumerate(values)))


def _check_long_text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise InvalidValue(path, f"text is needed, not {type(value).__name__}")
    if len(value) > MAX_TEXT:
        raise InvalidValue(path, f"at most {MAX_TEXT} characters, not {len(value)}")
    check_text(value, path)
    return value
