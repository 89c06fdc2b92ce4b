"""``drift.toml``: differences that are accepted, each with its reason, and types that are the same in this project.

[[allow]]
kind = "index"
table = "task_states"
name = "ix_task_states_output"
reason = "a GIN index exists only on PostgreSQL"
until = 2027-06-30

[[equivalent]]
postgres = "interval"
sqlite = "integer"
"""

from __future__ import annotations

from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec

from diglot.drift.difference import KINDS, Difference, DifferenceKind
from diglot.drift.types import EQUIVALENCES, Equivalence
from diglot.errors import ConfigurationError
from diglot.toml_file import read_toml, settings_from

DRIFT_FILE = Path("drift.toml")


class Allow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One accepted difference. ``*`` in ``table`` and ``name`` matches any text; it is valid through ``until``."""

    kind: DifferenceKind
    table: str
    reason: str
    name: str = "*"
    until: date | None = None

    def matches(self, difference: Difference) -> bool:
        return (
            self.kind == difference.kind
            and _matches(difference.table, self.table)
            and _matches(difference.name, self.name)
        )


class Allowed(msgspec.Struct, frozen=True):
    """A difference, and why it is accepted."""

    kind: DifferenceKind
    table: str
    name: str
    left: str | None
    right: str | None
    message: str
    reason: str
    until: date | None


class DriftSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The contents of ``drift.toml``."""

    allow: tuple[Allow, ...] = ()
    equivalent: tuple[Equivalence, ...] = ()

    @property
    def equivalences(self) -> tuple[Equivalence, ...]:
        """Diglot's table, followed by the project's entries."""
        return EQUIVALENCES + self.equivalent


def load_allowed(path: Path | None = None) -> DriftSettings:
    """Reads this file, which must exist; without a path, ``drift.toml`` in the current folder if it exists.

    ConfigurationError, with the entry, if it is not valid.
    """
    file = path if path is not None else DRIFT_FILE
    if path is None and not file.exists():
        return DriftSettings()
    settings = settings_from(read_toml(file), DriftSettings, file, hints={"kind": f"kind is one of {', '.join(KINDS)}"})
    for entry in settings.allow:
        if not entry.reason.strip():
            raise ConfigurationError(f"{file}: the {entry.kind} of {entry.table} is allowed without a reason: add one")
    return settings


def sort_out(
    differences: list[Difference], allow: tuple[Allow, ...], today: date
) -> tuple[list[Difference], list[Allowed]]:
    """What remains and what is allowed. An entry past its date allows nothing; one that matches nothing remains too."""
    remaining: list[Difference] = []
    allowed: list[Allowed] = []
    used: set[Allow] = set()
    for difference in differences:
        entries = [entry for entry in allow if entry.matches(difference)]
        used.update(entries)
        valid = next((entry for entry in entries if entry.until is None or entry.until >= today), None)
        if valid is not None:
            allowed.append(Allowed(**msgspec.structs.asdict(difference), reason=valid.reason, until=valid.until))
        elif entries:
            message = f"{difference.message} (it was allowed until {entries[0].until}: fix it, or give it a new date)"
            remaining.append(msgspec.structs.replace(difference, message=message))
        else:
            remaining.append(difference)
    for entry in allow:
        if entry not in used:
            message = f"it is allowed ({entry.reason}), but there is no such difference: remove the entry"
            remaining.append(Difference(entry.kind, entry.table, entry.name, None, None, message))
    return remaining, allowed


def _matches(text: str, pattern: str) -> bool:
    """Only ``*`` is special, because names may contain brackets and question marks."""
    escaped = pattern.replace("[", "[[]").replace("?", "[?]")
    return text == pattern or fnmatchcase(text, escaped)
