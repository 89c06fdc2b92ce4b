"""The row structs of the queries by their names, as they are found in rows.py."""

from __future__ import annotations

from diglot.sql.models import Models, structs_of
from diglot.statestore.repositories import rows

ROW_MODELS: Models = structs_of(rows)
