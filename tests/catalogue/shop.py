"""Entries made by hand, for what a page does with them."""

from __future__ import annotations

from diglot.catalogue.entries import (
    Catalogue,
    Column,
    Constraint,
    Entry,
    Index,
    PlanText,
    ResultColumn,
    Side,
    Subject,
    Table,
    TableUse,
)
from diglot.catalogue.facing import Line, Piece
from diglot.drift import Difference, DriftResult
from diglot.drift.settings import Allowed
from diglot.sql.header import Parameter
from diglot.sql.session import Dialect


def side(
    *,
    place: str = "postgres/a.sql:1",
    lines: list[Line] | None = None,
    notes: dict[str, str] | None = None,
    plans: list[PlanText] | None = None,
    indexes: list[str] | None = None,
) -> Side:
    return Side(place, lines or [Line([Piece("select 1")])], notes or {}, plans or [], indexes or [])


def entry(
    name: str, *, postgres: Side | None = None, sqlite: Side | None = None, doc: str = "", text: str = ""
) -> Entry:
    """A query with these sides; ``text`` is said by everything else that it has."""
    found: dict[Dialect, Side | None] = {"postgres": postgres, "sqlite": sqlite}
    sides = {dialect: one for dialect, one in found.items() if one is not None}
    return Entry(
        name=name,
        kind="list of rows",
        doc=doc,
        parameters=[Parameter(text, "text")] if text else [],
        returns=text or None,
        columns=[ResultColumn(text, {"postgres": text, "sqlite": text}, True)] if text else [],
        uses=[TableUse(text, [text], [text])] if text else [],
        sides=sides,
        writes=False,
        same=len(sides) == 2,
    )


def catalogue_of(*entries: Entry, drift: DriftResult | None = None) -> Catalogue:
    """A catalogue of these queries alone."""
    engines: dict[Dialect, str] = {"postgres": "PostgreSQL 18.4", "sqlite": "SQLite 3.53.4"}
    return Catalogue(engines, [Subject("a", list(entries))], [], drift or DriftResult("", "", [], []))


def everything(text: str) -> Catalogue:
    """A catalogue that says the text wherever it can say anything."""
    one = side(
        place=text,
        lines=[Line([Piece(text, "string", marked=True), Piece(text)])],
        notes={"differs": text, "plan": text},
        plans=[PlanText(text, text, [text])],
        indexes=[text],
    )
    name = f"a.{text}"
    column = {"postgres": Column(text, text), "sqlite": Column(text, text)}
    table = Table(
        name=text,
        columns={text: column},
        indexes={"postgres": [Index(text, text, [name])], "sqlite": []},
        constraints={"postgres": [], "sqlite": [Constraint(text, text)]},
        read_by=[name],
        written_by=[name],
    )
    return Catalogue(
        engines={"postgres": text, "sqlite": text},
        subjects=[Subject(text, [entry(name, postgres=one, sqlite=one, doc=f"{text}\n{text}", text=text)])],
        tables=[table],
        drift=DriftResult(
            left=text,
            right=text,
            differences=[Difference("index", text, text, text, text, text)],
            allowed=[Allowed("index", text, text, text, text, text, text, None)],
        ),
    )
