"""Takes out of a text what must never be shown: passwords, or what looks like one.

An application adds the forms of its own secrets, and the environment variables that hold them.
"""

from __future__ import annotations

import os
import re

import msgspec


class Secret(msgspec.Struct, frozen=True):
    """What a kind of secret looks like in a text, and what is shown instead."""

    sign: str
    """What a text must contain, in lower case, to be worth the search."""
    pattern: re.Pattern[str]
    shown: str


class Redactor(msgspec.Struct, frozen=True):
    """Knows which texts are secret. ``variables`` are the environment variables whose values are."""

    secrets: tuple[Secret, ...]
    variables: tuple[str, ...]

    def values(self) -> tuple[str, ...]:
        """The secret values in the environment now."""
        found = (os.environ.get(variable, "") for variable in self.variables)
        return tuple(value for value in found if len(value) >= 4)

    def redact(self, text: str, values: tuple[str, ...] | None = None) -> str:
        """The text without what is, or looks like, a secret.

        ``values`` are those of the environment, for a caller that has looked them up once.
        """
        for value in self.values() if values is None else values:
            text = text.replace(value, "***")
        lower = text.lower()
        for secret in self.secrets:
            if secret.sign in lower:
                text = secret.pattern.sub(secret.shown, text)
        return text


PASSWORDS = Redactor(
    secrets=(
        Secret("://", re.compile(r"(\w+://[^\s:/@]*):\S*@"), r"\1:***@"),
        Secret("password", re.compile(r"(password\s*[=:]\s*)('(?:[^'\\]|\\.)*'|\S+)", re.IGNORECASE), r"\1***"),
    ),
    variables=("PGPASSWORD",),
)
"""The passwords of databases, in URLs and connection strings."""
