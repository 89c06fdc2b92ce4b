"""A record and a match: the input and the output of a collection of vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from diglot.statestore.vectors.matching import Metadata


class Record(msgspec.Struct, frozen=True):
    """A vector with its id, the text that it represents, and the metadata for filters.

    ``vector``: a list of numbers or a numpy array; stored as 32-bit floats. ``metadata``: from names to text, numbers,
    booleans or lists of them.
    """

    id: str
    vector: Sequence[float] | Any
    text: str = ""
    metadata: Metadata = {}


class Match(msgspec.Struct, frozen=True):
    """A record that was found. ``score``: higher is closer, whatever the metric."""

    id: str
    text: str
    metadata: Metadata
    score: float
