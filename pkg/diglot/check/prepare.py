"""Check 3: every query, in every combination of its blocks, is prepared on both engines and must fit what it declares.

The engines report whether a statement is valid, and PostgreSQL the types; nullability, and SQLite's types, are derived
from the catalog (lineage/). Each is compared with the header, the model, and the other dialect. What a query returns
is derived from four kinds of combinations: no block, each alone, all but each, all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from diglot.check.catalog import Catalog, Kinds, read_catalog
from diglot.check.engines import Engine, Prepared, Refused, engine
from diglot.check.finding import Finding, Outcome
from diglot.check.lineage import Lineage, Output, Use, derive
from diglot.check.models import wanted
from diglot.check.nesting import FAULTS, explained
from diglot.check.results import Column, Remark, Results, shown
from diglot.check.sources import SourceFile, source_files
from diglot.check.values import check_values
from diglot.check.variants import Combination, characteristic, combinations, declared
from diglot.project import Project
from diglot.sql.header import BASE_TYPES, Parameter, QuerySource
from diglot.sql.models import Models
from diglot.sql.session import Dialect
from diglot.stores.store import Store

CHECK = "prepare"
_OTHERS = frozenset({"int", "float", "bool", "bytes", "timestamp", "json"})
"""Kinds that are not declared as text, because the header has a type for them. A uuid, an enum, a date has none."""
_ALSO = {"int": frozenset({"int", "decimal"}), "float": frozenset({"float", "decimal"})}


class Page(msgspec.Struct):
    """One dialect's side of a query: its columns with all blocks, and whether it already has a finding."""

    file: SourceFile
    query: QuerySource
    columns: list[Column] | None
    wrong: bool


def check_prepare(project: Project, postgres: Store | None, sqlite: Store | None) -> Outcome:
    """Every query that one of the two migrated databases refuses, or that returns something else than it declares.

    Unknown is what could not be derived of a result.
    """
    catalog = read_catalog(postgres) if postgres is not None else None
    findings: list[Finding] = []
    unknowns: list[Finding] = []
    pages: dict[Dialect, dict[str, Page]] = {}
    never_null: dict[tuple[str, str], list[tuple[bool | None, SourceFile, QuerySource]]] = {}
    for store in (postgres, sqlite):
        if store is None or store.dialect not in project.dialects:
            continue
        own = catalog if catalog is not None and store is postgres else read_catalog(store, catalog)
        with engine(store) as connection:
            for file in source_files(project, store.dialect):
                for query in file.queries:
                    checked = _Checked(file, query, store.dialect, own, project.row_models())
                    found = checked.findings(connection)
                    findings += found
                    unknowns += checked.unknowns
                    page = Page(file, query, checked.columns, bool(found))
                    pages.setdefault(store.dialect, {})[query.full_name] = page
                    for key, nullable in checked.results.nullable_fields:
                        never_null.setdefault(key, []).append((nullable, file, query))
    findings += _never_null(never_null)
    for name, page in pages.get("sqlite", {}).items():
        facing = pages.get("postgres", {}).get(name)
        if facing is not None and not page.wrong and not facing.wrong:
            findings += _facing(page, facing)
    findings += check_values(project, postgres, sqlite, catalog or Catalog({}))
    return Outcome(sorted(set(findings)), sorted(set(unknowns)))


class _Checked:
    """The checks of one query on one engine."""

    def __init__(
        self,
        file: SourceFile,
        query: QuerySource,
        dialect: Dialect,
        catalog: Catalog,
        models: Models | None,
    ) -> None:
        self.file = file
        self.query = query
        self.dialect = dialect
        self.catalog = catalog
        self.results = Results(query, wanted(query, models))
        self.unknowns: list[Finding] = []
        if models is None and query.returns is not None and query.returns not in BASE_TYPES:
            message = f"whether the result fits {query.returns} is unknown: name the models with --models"
            self.unknowns.append(self._at(message, "returns"))
        self.parameters = declared(query)
        self.columns: list[Column] | None = None

    def findings(self, connection: Engine) -> list[Finding]:
        if self.query.suffix == "#":
            only = next(combinations(self.query, self.dialect))
            refused = connection.script(only.text)
            return [self._refused(only, refused, "")] if refused else []
        found: dict[tuple[str, int], Finding] = {}
        everything = list(combinations(self.query, self.dialect))
        derived = {each.active for each in characteristic(everything)}
        for each in everything:
            for finding in self._combination(connection, each, each.active in derived):
                found.setdefault((finding.message.partition(" (with")[0], finding.line), finding)
        if self.columns is not None:
            for column, message in self.results.stale():
                finding = self._at(message, f"asserts {column}")
                found.setdefault((finding.message, finding.line), finding)
        return list(found.values())

    def _combination(self, connection: Engine, each: Combination, describe: bool) -> Iterator[Finding]:
        order = [self.parameters[name] for name in each.variant.order]
        told = connection.prepare(each.text, order, describe=describe)
        blocks = f" (with the block of {', '.join(sorted(each.active))})" if each.active else ""
        if isinstance(told, Refused):
            yield self._refused(each, told, blocks)
            return
        if not describe:
            return
        for parameter, answered in zip(_once(order), told.parameters, strict=False):
            if not _accepts(parameter, answered.kinds):
                message = f"parameter {parameter.name!r} is {parameter.declaration}, in the SQL {answered.declared}"
                yield self._at(message, f"param {parameter.name}")
        try:
            lineage = derive(each.named, self.dialect, self.catalog, self.parameters, each.active)
        except FAULTS as error:
            yield self._at(f"its columns can't be derived: {explained(error)}")
            return
        yield from self._uses(lineage.uses if lineage else [], each)
        if self.query.returns is None:
            answer = told.columns or (lineage.outputs if lineage else [])
            if answer:
                names = ", ".join(column.name for column in answer)
                yield self._at(f"it returns the columns {names}, but its suffix {self.query.suffix!r} discards them")
            return
        columns = self._answer(each, told, lineage)
        if columns is None:
            self.unknowns.append(self._at("whether it fits is unknown: the statement is not understood", "returns"))
        else:
            # With a block that compares a column, that column is never null: the two sides are compared without any.
            self.columns = self.columns or self.results.asserted(columns)
            for remark in self.results.remarks(columns):
                if remark.unknown:
                    self.unknowns.append(self._remarked(remark))
                else:
                    yield self._remarked(remark)

    # --- parameters ---

    def _uses(self, uses: list[Use], each: Combination) -> Iterator[Finding]:
        for use in uses:
            parameter = self.parameters.get(use.parameter)
            if parameter is None:
                continue
            item = Parameter(parameter.name, parameter.type)
            array = parameter.is_list and use.kinds is not None and "json" in use.kinds
            if self.dialect == "sqlite" and not array and not _accepts(item, use.kinds):
                kinds = shown(use.kinds)
                message = f"parameter {parameter.name!r} is {parameter.declaration}, but {use.column} is {kinds}"
                yield self._at(message, f"param {parameter.name}")
            if use.nullable is False and parameter.nullable and parameter.name not in each.active:
                message = f"parameter {parameter.name!r} may be null, but {use.column} takes no null"
                yield self._at(message, f"param {parameter.name}")

    # --- columns ---

    def _answer(self, each: Combination, told: Prepared, lineage: Lineage | None) -> list[Column] | None:
        outputs = lineage.outputs if lineage is not None else []
        if told.columns is None:
            if lineage is None:
                return None
            return [self._column(each, output, output.name, output.value.kinds, None) for output in outputs]
        known = len(outputs) == len(told.columns)
        return [
            self._column(
                each,
                outputs[i] if known else None,
                column.name,
                column.kinds if self.dialect == "postgres" else outputs[i].value.kinds if known else None,
                column.declared,
                "the statement is not understood" if lineage is None else "it is one of several columns of a '*'",
            )
            for i, column in enumerate(told.columns)
        ]

    def _column(
        self,
        each: Combination,
        output: Output | None,
        name: str,
        kinds: Kinds,
        engine_type: str | None,
        otherwise: str = "",
    ) -> Column:
        offset = each.tokens[0].start if each.tokens else 0
        if output is not None and output.offset is not None:
            offset = each.offset_of_named(output.offset)
        else:
            word = each.offset_of_word(name)
            offset = offset if word is None else word
        if output is None:
            untyped = otherwise if kinds is None else ""
            return Column(name, kinds, None, engine_type, offset, otherwise, untyped)
        untyped = output.value.untyped if self.dialect == "sqlite" else ""
        return Column(name, kinds, output.value.nullable, engine_type, offset, output.value.why, untyped)

    # --- findings ---

    def _refused(self, each: Combination, refused: Refused, blocks: str) -> Finding:
        message = f"{'PostgreSQL' if self.dialect == 'postgres' else 'SQLite'} refuses it: {refused.message}{blocks}"
        offset = None
        if refused.offset is not None:
            offset = each.offset_of_sent(refused.offset)
        elif refused.word is not None:
            offset = each.offset_of_word(refused.word)
        return self._at(message) if offset is None else self.file.finding_at(CHECK, self.query, message, offset)

    def _at(self, message: str, key: str | None = None) -> Finding:
        return self.file.finding(CHECK, self.query, message, key)

    def _remarked(self, remark: Remark) -> Finding:
        if remark.column is None:
            return self._at(remark.message, "returns")
        return self.file.finding_at(CHECK, self.query, remark.message, remark.column.offset)


def _never_null(
    fields: Mapping[tuple[str, str], list[tuple[bool | None, SourceFile, QuerySource]]],
) -> Iterator[Finding]:
    """Fields that may be null, though no query of either dialect ever returns null for them."""
    for (owner, name), seen in fields.items():
        if all(nullable is False for nullable, _, _ in seen):
            _, file, query = seen[0]
            what = f"{owner}.{name} may be null" if owner != query.full_name else f"'returns: {query.returns}?'"
            yield file.finding(CHECK, query, f"{what}, but the column never is: remove the null", "returns")


def _facing(page: Page, facing: Page) -> Iterator[Finding]:
    """Where SQLite's result differs from PostgreSQL's."""
    place = f"{facing.file.shown}:{facing.query.line}"
    if page.columns is None or facing.columns is None:
        return
    if len(page.columns) != len(facing.columns):
        message = f"it returns {len(page.columns)} columns, in {place} {len(facing.columns)}"
        yield page.file.finding(CHECK, page.query, message)
        return
    for mine, theirs in zip(page.columns, facing.columns, strict=True):
        message = ""
        if mine.name != theirs.name and _is_name(mine.name) and _is_name(theirs.name):
            message = f"column {mine.name!r} is {theirs.name!r} in {place}"
        elif mine.kinds is not None and theirs.kinds is not None and not _share_a_kind(mine.kinds, theirs.kinds):
            message = f"column {mine.name!r} is {mine.described}, in {place} {theirs.described}"
        elif mine.nullable is not None and theirs.nullable is not None and mine.nullable != theirs.nullable:
            may, other = ("may be null", "may not") if mine.nullable else ("is never null", "may be")
            message = f"column {mine.name!r} {may}, in {place} it {other}"
        if message:
            yield page.file.finding_at(CHECK, page.query, message, mine.offset)


def _share_a_kind(mine: frozenset[str], theirs: frozenset[str]) -> bool:
    """Whether both may hold the same: SQLite keeps an array of PostgreSQL as JSON."""
    return bool(mine & theirs) or ("json" in mine | theirs and any(kind.endswith("[]") for kind in mine | theirs))


def _is_name(name: str) -> bool:
    return name.isidentifier()


def _once(order: list[Parameter]) -> list[Parameter]:
    return list(dict.fromkeys(order))


def _accepts(parameter: Parameter, kinds: Kinds) -> bool:
    """Whether a value of the declared type is one of these kinds."""
    if kinds is None:
        return True
    if parameter.is_list:
        items = frozenset(kind[:-2] for kind in kinds if kind.endswith("[]"))
        return bool(items) and _accepts(Parameter("", parameter.type), items)
    if parameter.type == "text":
        return any(kind == "text" or (kind not in _OTHERS and not kind.endswith("[]")) for kind in kinds)
    return bool(kinds & _ALSO.get(parameter.type, frozenset({parameter.type})))
