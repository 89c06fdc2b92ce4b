"""Takes out of a text what must never be shown: passwords and API keys, or what looks like one."""

from __future__ import annotations

import os
import re

_PATTERNS = (
    ("://", re.compile(r"(\w+://[^\s:/@]*):\S*@"), r"\1:***@"),
    ("password", re.compile(r"(password\s*[=:]\s*)('(?:[^'\\]|\\.)*'|\S+)", re.IGNORECASE), r"\1***"),
    ("dgl_", re.compile(r"dgl_[A-Za-z0-9_-]{12,}"), "dgl_***"),
)
"""Each with what a text must have in it, in lower case, to be worth the search."""
_SECRET_VARIABLES = ("DB_PASSWORD", "DIGLOT_API_KEY", "PGPASSWORD")


def secrets_of_environment() -> tuple[str, ...]:
    """What the environment holds now that must never be shown."""
    found = (os.environ.get(variable, "") for variable in _SECRET_VARIABLES)
    return tuple(secret for secret in found if len(secret) >= 4)


def redact(text: str, secrets: tuple[str, ...] | None = None) -> str:
    """The text without what is, or looks like, a password or an API key.

    ``secrets`` are those of the environment, for a caller that has asked for them once.
    """
    for secret in secrets_of_environment() if secrets is None else secrets:
        text = text.replace(secret, "***")
    lower = text.lower()
    for sign, pattern, shown in _PATTERNS:
        if sign in lower:
            text = pattern.sub(shown, text)
    return text
