"""Collects what the catalogue shows: the query files, both engines' plans, both schemas and how they differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date

from diglot.catalogue.entries import Catalogue, Entry, PlanText, Side, Subject
from diglot.catalogue.facing import Line, alone, facing
from diglot.catalogue.tables import index_name, key_name, tables
from diglot.catalogue.uses import descriptions, result, uses
from diglot.check.catalog import read_catalog
from diglot.check.describe import Description
from diglot.check.plans import explain_all
from diglot.check.plans.plan import Plan, VariantPlan
from diglot.drift import DriftSettings, drift
from diglot.project import Project
from diglot.schema import model as schema
from diglot.schema.read import read_schema
from diglot.sql.adapters import ADAPTERS
from diglot.sql.header import SUFFIXES, QuerySource, read_queries
from diglot.sql.loader import read_text
from diglot.sql.query import Query
from diglot.sql.session import DIALECTS, Dialect
from diglot.stores.store import Store

NOTES = ("differs", "plan", "only", "idempotent")
Pair = dict[Dialect, Query]


def collect(project: Project, postgres: Store, sqlite: Store, settings: DriftSettings, today: date) -> Catalogue:
    """Returns the catalogue of the project's trees, from two databases that its migrations were applied to.

    ``settings`` say which drift is allowed on the day ``today``. Raises QueryFileError for a query that can't be read.
    """
    stores: dict[Dialect, Store] = {"postgres": postgres, "sqlite": sqlite}
    pairs = _pairs(project)
    schemas = {dialect: read_schema(store) for dialect, store in stores.items()}
    names = _index_names(schemas["sqlite"])
    plans: dict[Dialect, dict[str, Plan]] = {}
    described: dict[Dialect, dict[str, Description]] = {}
    facing_catalog = read_catalog(postgres)
    for dialect, store in stores.items():
        queries = [pair[dialect] for pair in pairs.values() if dialect in pair]
        plans[dialect] = {plan.query: plan for plan in explain_all(queries, store)}
        described[dialect] = descriptions(queries, store, facing_catalog)
    entries = [
        _entry(
            pair,
            {dialect: plans[dialect][name] for dialect in pair},
            {dialect: described[dialect][name] for dialect in pair},
            names,
        )
        for name, pair in pairs.items()
    ]
    subjects: dict[str, list[Entry]] = {}
    for entry in entries:
        subjects.setdefault(entry.name.partition(".")[0], []).append(entry)
    return Catalogue(
        engines={dialect: store.server_version for dialect, store in stores.items()},
        subjects=[Subject(name, found) for name, found in subjects.items()],
        tables=tables(schemas, entries),
        drift=drift(schemas["postgres"], schemas["sqlite"], settings, today),
    )


def _pairs(project: Project) -> dict[str, Pair]:
    """Each query by dialect, in the order of the PostgreSQL files. Raises QueryFileError for an unreadable query."""
    found: dict[str, Pair] = {}
    if project.queries is None:
        return found
    for dialect in DIALECTS:
        adapter = ADAPTERS[dialect]()
        for file in project.every_query_file(dialect):
            for source in read_queries(read_text(file), file.stem, str(file), dialect):
                found.setdefault(source.full_name, {})[dialect] = Query(source, adapter)
    return dict(sorted(found.items(), key=lambda item: item[0].partition(".")[0]))


def _entry(
    pair: Pair, plans: Mapping[Dialect, Plan], described: Mapping[Dialect, Description], names: Mapping[str, str]
) -> Entry:
    sources = {dialect: query.source for dialect, query in pair.items()}
    source = next(iter(sources.values()))
    lines: dict[Dialect, list[Line]]
    same = False
    if len(sources) == 2:
        pages = facing(sources["postgres"].sql, sources["sqlite"].sql)
        lines, same = {"postgres": pages.left, "sqlite": pages.right}, pages.same
    else:
        lines = {dialect: alone(only.sql) for dialect, only in sources.items()}
    return Entry(
        name=source.full_name,
        kind=SUFFIXES[source.suffix],
        doc=source.doc,
        parameters=source.parameters,
        returns=f"{source.returns}{'?' if source.returns_nullable else ''}" if source.returns else None,
        columns=result(described),
        uses=uses(described),
        sides={d: _side(d, s, lines[d], plans[d], names) for d, s in sources.items()},
        writes=any(variant.statement.writes for query in pair.values() for variant in query.variants()),
        same=same,
    )


def _side(dialect: Dialect, source: QuerySource, lines: list[Line], plan: Plan, names: Mapping[str, str]) -> Side:
    return Side(
        place=f"{dialect}/{source.subject}.sql:{source.line}",
        lines=lines,
        notes=_notes(source),
        plans=list(_grouped(plan, len(source.conditions))),
        indexes=sorted({names.get(index, index) for index in plan.indexes}),
    )


def _notes(source: QuerySource) -> dict[str, str]:
    notes = {key: getattr(source, key) for key in NOTES if getattr(source, key)}
    if source.assertions:
        notes["asserts"] = "; ".join(each.written for each in source.assertions)
    return notes


# --- plans -------------------------------------------------------------------------------------------------


def _grouped(plan: Plan, conditions: int) -> Iterator[PlanText]:
    """One plan for all combinations that use the same indexes and have the same problems: that of the simplest."""
    groups: dict[tuple[object, ...], list[VariantPlan]] = {}
    for variant in sorted(plan.variants, key=lambda variant: len(variant.given)):
        problems = tuple((problem.kind, problem.table) for problem in variant.problems)
        groups.setdefault((variant.indexes, problems, variant.error), []).append(variant)
    for variants in groups.values():
        simplest = variants[0]
        yield PlanText(
            when=_when(variants) if conditions and len(groups) > 1 else "",
            text=f"not planned: {simplest.error}" if simplest.error else simplest.text,
            problems=[f"{problem.kind} of {problem.table}: {problem.detail}" for problem in simplest.problems],
        )


def _when(variants: Iterable[VariantPlan]) -> str:
    """Names the minimal combinations, and says how many there are in all."""
    variants = list(variants)
    smallest: list[tuple[str, ...]] = []
    for variant in variants:
        if not any(set(one) <= set(variant.given) for one in smallest):
            smallest.append(variant.given)
    shown = [" and ".join(f":{name}" for name in given) for given in smallest]
    said = "; ".join(f"with {given}" if given else "without any condition" for given in shown[:4])
    more = "; …" if len(shown) > 4 else ""
    return f"{said}{more}" if len(variants) == 1 else f"{said}{more} ({len(variants)} combinations)"


# --- names of indexes --------------------------------------------------------------------------------------


def _index_names(sqlite: schema.Schema) -> dict[str, str]:
    """SQLite's plans say ``sqlite_autoindex_tasks_1``; people know the name of the constraint."""
    names = {}
    for table in sqlite.tables:
        if table.primary_key is not None and table.primary_key.plan_name is not None:
            names[table.primary_key.plan_name] = key_name(table.name, table.primary_key)
        names.update({index.plan_name: index_name(index) for index in table.indexes if index.plan_name is not None})
    return names
