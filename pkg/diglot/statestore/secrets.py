"""What the state store must never show: API keys, its database's password, and what the kit hides."""

from __future__ import annotations

import re

from diglot.redaction import PASSWORDS, Redactor, Secret

REDACTOR = Redactor(
    secrets=(*PASSWORDS.secrets, Secret("dgl_", re.compile(r"dgl_[A-Za-z0-9_-]{12,}"), "dgl_***")),
    variables=(*PASSWORDS.variables, "DB_PASSWORD", "DIGLOT_API_KEY"),
)
