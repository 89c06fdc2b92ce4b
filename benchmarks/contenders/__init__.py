"""The same job done four ways: by hand on the driver, through Diglot, with SQLAlchemy Core and with its ORM.

All of them open the same kind of database, are asked the same questions and must give the same answers
(``benchmarks.answers``) before anything is measured.
"""

from __future__ import annotations

from typing import Literal

from benchmarks.contenders.contender import Contender as Contender

Kind = Literal["hand", "diglot", "core", "orm"]
KINDS: tuple[Kind, ...] = ("hand", "diglot", "core", "orm")
TITLES: dict[Kind, str] = {
    "hand": "by hand",
    "diglot": "Diglot",
    "core": "SQLAlchemy Core",
    "orm": "SQLAlchemy ORM",
}


def open_contender(kind: Kind, url: str) -> Contender:
    """This contender on the database of the URL (``sqlite:///PATH`` or ``postgresql://…``)."""
    sqlite = url.startswith("sqlite:")
    if kind == "diglot":
        from benchmarks.contenders.with_diglot import WithDiglot

        return WithDiglot(url)
    if kind == "core":
        from benchmarks.contenders.with_core import WithCore

        return WithCore(url)
    if kind == "orm":
        from benchmarks.contenders.with_orm import WithOrm

        return WithOrm(url)
    if sqlite:
        from benchmarks.contenders.by_hand_sqlite import ByHandSQLite

        return ByHandSQLite(url)
    from benchmarks.contenders.by_hand_postgres import ByHandPostgres

    return ByHandPostgres(url)
