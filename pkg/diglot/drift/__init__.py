"""Drift: two database schemas, of either engine, are compared by what they mean.

``read_schema`` gets a schema, ``compare`` finds the differences, ``settings`` has those that are accepted with a
reason, ``report`` does all of it.
"""

from diglot.drift.compare import compare, notes
from diglot.drift.difference import KINDS, Difference
from diglot.drift.notes import Note
from diglot.drift.report import DriftResult, drift
from diglot.drift.settings import DriftSettings, load_allowed
from diglot.drift.types import EQUIVALENCES, Equivalence
from diglot.schema.read import read_schema

__all__ = [
    "EQUIVALENCES",
    "KINDS",
    "Difference",
    "DriftResult",
    "DriftSettings",
    "Equivalence",
    "Note",
    "compare",
    "drift",
    "load_allowed",
    "notes",
    "read_schema",
]
