"""Takes out of a text what must never be shown: passwords and API keys, or what looks like one."""

from __future__ import annotations

import os
import re

_SECRETS = (
    ("://", re.compile(r"(\w+://[^\s:/@]*):\S*@"), r"\1:***@"),
    ("", re.compile(r"(password\s*[=:]\s*)('(?:[^'\\]|\\.)*'|\S+)", re.IGNORECASE), r"\1***"),
    ("dgl_", re.compile(r"dgl_[A-Za-z0-9_-]{12,}"), "dgl_***"),
)
"""What must be in the text for the pattern to be worth a look (every line of log comes past here); what is shown."""
_SECRET_VARIABLES = ("DB_PASSWORD", "DIGLOT_API_KEY", "PGPASSWORD")


def redact(text: str) -> str:
    """The text without what is, or looks like, a password or an API key."""
    for variable in _SECRET_VARIABLES:
        secret = os.environ.get(variable, "")
        if len(secret) >= 4:
            text = text.replace(secret, "***")
    for mark, pattern, shown in _SECRETS:
        if mark in text:
            text = pattern.sub(shown, text)
    return text
