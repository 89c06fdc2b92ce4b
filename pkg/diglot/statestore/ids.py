"""New ids: UUIDv7 text. Later ids sort later, so indexes grow at their end."""

from __future__ import annotations

import uuid_utils


def new_id() -> str:
    """A new id, 36 characters, lower case with hyphens."""
    return str(uuid_utils.uuid7())
