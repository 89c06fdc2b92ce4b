"""The drift report: the differences of two schemas that the project's settings do not accept."""

from __future__ import annotations

from datetime import date

import msgspec

from diglot.drift.compare import compare
from diglot.drift.difference import Difference
from diglot.drift.settings import Allowed, DriftSettings, sort_out
from diglot.schema.model import Schema


class DriftResult(msgspec.Struct, frozen=True):
    """The result, as ``--format json`` prints it. No drift if ``differences`` is empty."""

    left: str
    right: str
    differences: list[Difference]
    allowed: list[Allowed]


def drift(left: Schema, right: Schema, settings: DriftSettings, today: date, *, names: bool = False) -> DriftResult:
    """Compare, and remove what is allowed today."""
    found = compare(left, right, settings.equivalences, names)
    differences, allowed = sort_out(found, settings.allow, today)
    return DriftResult(left.location, right.location, differences, allowed)
