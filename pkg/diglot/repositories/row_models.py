"""The row structs of the queries by their names, as they are found in rows.py."""

from __future__ import annotations

from diglot.repositories import rows
from diglot.sql.decoding import Models, structs_of

ROW_MODELS: Models = structs_of(rows)
