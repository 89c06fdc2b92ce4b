"""The page: one HTML file that loads nothing; its own policy allows only its style and its script, by hash.

The same catalogue always produces the same bytes: no time, no random nonce, no path of the machine.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from importlib.resources import files
from itertools import groupby
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from diglot._version import __version__
from diglot.catalogue.entries import Catalogue, Entry
from diglot.catalogue.facing import Line, Piece
from diglot.sql.session import DIALECTS, Dialect

TITLES: dict[Dialect, str] = {"postgres": "PostgreSQL", "sqlite": "SQLite"}
REASONS = {"asserts": "Asserts", "differs": "Differs", "plan": "Plan", "only": "Only", "idempotent": "Idempotent"}

_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">'
    '<path fill="#2d5f8b" d="M1 3q4-1 7 1v10Q5 12 1 13z"/><path fill="#2f6f5e" d="M15 3q-4-1-7 1v10q3-2 7-1z"/></svg>'
)


def page(catalogue: Catalogue, title: str = "Query catalogue") -> str:
    """The whole page as HTML."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.finalize = _visible
    environment.filters |= {
        "anchor": anchor,
        "reasons": _reasons,
        "rows": _rows,
        "runs": _runs,
    }
    entries = [entry for subject in catalogue.subjects for entry in subject.entries]
    style, script = _resource("style.css") + _row_styles(entries), _resource("script.js")
    differing = [entry for entry in entries if not entry.same]
    return environment.from_string(_resource("page.html")).render(
        catalogue=catalogue,
        dialects=[(dialect, TITLES[dialect]) for dialect in DIALECTS],
        differing=differing,
        icon="data:image/svg+xml," + quote(_ICON, safe=""),
        script=Markup(script),  # noqa: S704 - our own file
        script_hash=_hash(script),
        style=Markup(style),  # noqa: S704 - our own file
        style_hash=_hash(style),
        summary=_summary(catalogue, len(entries), len(differing)),
        title=title,
        version=__version__,
    )


def anchor(name: str) -> str:
    """The id of a section: letters, digits, dots and dashes only, so a link needs no escapes."""
    return re.sub(r"[^A-Za-z0-9_.-]", lambda found: f"-{ord(found.group()):x}-", name)


def _summary(catalogue: Catalogue, queries: int, differing: int) -> str:
    words = f"{differing} of them with different SQL" if differing else "all of them with the same SQL"
    drifted = len(catalogue.drift.differences)
    schemas = f"the schemas differ in {_count(drifted, 'place')}" if drifted else "the schemas are equivalent"
    return f"{_count(queries, 'query')} in two dialects, {words}; {_count(len(catalogue.tables), 'table')}; {schemas}."


def _count(number: int, what: str) -> str:
    plural = what[:-1] + "ies" if what.endswith("y") else what + "s"
    return f"{number} {what if number == 1 else plural}"


def _resource(name: str) -> str:
    return (files(__package__) / name).read_text("utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


# --- filters -----------------------------------------------------------------------------------------------


def _visible(value: Any) -> Any:
    """Shows characters that are invisible or change the text's direction as code points: a reviewer must see them."""
    if type(value) is not str or value.isprintable():
        return value
    return "".join(c if c.isprintable() or c in "\n\t" else f"\N{SYMBOL FOR SUBSTITUTE}U+{ord(c):04X}" for c in value)


def _rows(entry: Entry) -> int:
    return max(len(side.lines) for side in entry.sides.values())


def _row_styles(entries: Iterable[Entry]) -> str:
    """CSS for the grid rows that a text takes: its lines stay aligned with the other text's even if one wraps."""
    rule = ".rows-{0} .leaf {{ grid-row: span {1}; }} .rows-{0} :is(.sql, code) {{ grid-row: span {0}; }}\n"
    return "".join(rule.format(rows, rows + 1) for rows in sorted({_rows(entry) for entry in entries}))


def _runs(line: Line) -> list[tuple[bool, list[Piece]]]:
    """The pieces of a line, grouped by whether they are marked: each change gets one mark."""
    return [(marked, list(pieces)) for marked, pieces in groupby(line.pieces, key=lambda piece: piece.marked)]


def _reasons(entry: Entry) -> list[tuple[str, list[tuple[str, str]]]]:
    """The reasons in the headers: label → (dialect, reason); the dialect is empty if both give the same reason."""
    found = []
    for key, label in REASONS.items():
        said = {dialect: side.notes[key] for dialect, side in entry.sides.items() if key in side.notes}
        if said and len(set(said.values())) == 1 and len(said) == len(entry.sides):
            found.append((label, [("", next(iter(said.values())))]))
        elif said:
            found.append((label, [(TITLES[dialect], reason) for dialect, reason in said.items()]))
    return found
