"""The drift report: the differences of two schemas that the project's settings do not accept."""

from __future__ import annotations

from datetime import date

import msgspec

from diglot.drift.compare import compare, notes
from diglot.drift.difference import Difference
from diglot.drift.notes import Note
from diglot.drift.settings import Allowed, DriftSettings, sort_out
from diglot.schema.model import Schema


class DriftResult(msgspec.Struct, frozen=True):
    """The result, as ``--format json`` prints it. No drift if ``differences`` is empty.

    ``notes`` say what is no difference of the schemas, but of the engines: they do not count.
    """

    left: str
    right: str
    differences: list[Difference]
    allowed: list[Allowed]
    notes: list[Note] = []


def drift(left: Schema, right: Schema, settings: DriftSettings, today: date, *, names: bool = False) -> DriftResult:
    """Compare, and remove what is allowed today."""
    found = compare(left, right, settings.equivalences, names)
    differences, allowed = sort_out(found, settings.allow, today)
    remarks = notes(left, right, settings.equivalences)
    return DriftResult(left.location, right.location, differences, allowed, remarks)
