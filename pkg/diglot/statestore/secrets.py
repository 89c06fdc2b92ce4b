"""What must never be shown of the state store: API keys and its database's password, and what the kit hides."""

from __future__ import annotations

import re

from diglot.redaction import PASSWORDS, Redactor, Secret

REDACTOR = Redactor(
    secrets=(*PASSWORDS.secrets, Secret("dgl_", re.compile(r"dgl_[A-Za-z0-9_-]{12,}"), "dgl_***")),
    variables=(*PASSWORDS.variables, "DB_PASSWORD", "DIGLOT_API_KEY"),
)
