"""How a long operation reports its progress: a callback that gets a Step now and then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec


class Step(msgspec.Struct, frozen=True):
    """``done`` of ``total`` (None if unknown) in the phase ``phase``, like ``task_states: copying``."""

    phase: str
    done: int
    total: int | None
    unit: Literal["rows", "bytes"] = "rows"


Report = Callable[[Step], None]


def silent(_step: Step) -> None:
    """Reports to nobody."""
