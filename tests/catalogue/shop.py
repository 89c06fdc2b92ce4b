"""Entries made by hand, for what a page does with them."""

from __future__ import annotations

from diglot.catalogue.entries import (
    Catalogue,
    Column,
    Constraint,
    Drift,
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
from diglot.sql.header import Parameter
from diglot.stores.session import Dialect


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
        same=len(sides) == 2,
    )


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
        drift=[Drift(text, text, text, text, text, text), Drift("index", "t", "i", text, text, "", reason=text)],
    )
