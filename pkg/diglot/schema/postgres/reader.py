"""The schema of a PostgreSQL database, from its catalog, in one read-only snapshot.

Works on PostgreSQL 15 to 18: columns that only newer catalogs have are read through ``to_jsonb``. PostgreSQL
18 names its not-null constraints in pg_constraint; nullability is a column's here, so they are not read.
"""

from __future__ import annotations

from typing import Any

import msgspec

from diglot.errors import ConfigurationError
from diglot.schema.bookkeeping import is_bookkeeping
from diglot.schema.model import (
    Check,
    Column,
    ForeignKey,
    Identity,
    Index,
    Key,
    PrimaryKey,
    Schema,
    Table,
    View,
    ViewColumn,
)
from diglot.schema.postgres.attached import Attached, by_first
from diglot.schema.statements import statement
from diglot.sql.session import Reads, Row
from diglot.stores.store import Store


def read_postgres(store: Store, schema: str | None = None) -> Schema:
    """All of one schema, by default the connection's first. ConfigurationError if there is no such schema."""
    with store.snapshot() as session:
        found = read_session(session, f"{store.location} ({store.server_version})", schema)
    if found is None:
        raise ConfigurationError(
            f"there is no schema {schema!r} in {store.location}"
            if schema
            else f"the connection to {store.location} has no current schema: name one with ?schema=…"
        )
    return found


def read_session(session: Reads, location: str, schema: str | None = None) -> Schema | None:
    """As ``read_postgres``, as the session's transaction sees it; None if there is no such schema."""
    found = session.rows(statement("postgres", "schema"), (schema,))
    if not found:
        return None
    oid, name = found[0]
    session.rows(statement("postgres", "search_path"), (name,))
    tables, views = _Reader(session, oid).read()
    return Schema(dialect="postgres", location=f"{location}, schema {name}", tables=tables, views=views)


class _Reader:
    """Rows of the catalog, gathered by the table's oid."""

    def __init__(self, session: Reads, schema: int) -> None:
        self._domains = {row[0]: row[1:] for row in session.rows(statement("postgres", "domains"))}
        self._domain_checks = by_first(session.rows(statement("postgres", "domain_checks")))
        self._labels = {oid: tuple(labels) for oid, labels in session.rows(statement("postgres", "enum_labels"))}
        self._relations = session.rows(statement("postgres", "relations"), (schema,))
        self._columns = by_first(session.rows(statement("postgres", "columns"), (schema,)))
        self._constraints = by_first(session.rows(statement("postgres", "constraints"), (schema,)))
        self._indexes = by_first(session.rows(statement("postgres", "indexes"), (schema,)))
        self._keys = by_first(session.rows(statement("postgres", "index_keys"), (schema,)))
        self._views = by_first(session.rows(statement("postgres", "views"), (schema,)))
        self._attached = Attached(session, schema)

    def read(self) -> tuple[tuple[Table, ...], tuple[View, ...]]:
        tables, views = [], []
        for oid, name, kind, options, row_security, comment in self._relations:
            if is_bookkeeping(name):
                continue
            if kind in ("v", "m"):
                views.append(self._view(oid, name, kind == "m", comment))
            else:
                found = self._table(oid, name, tuple(options))
                tables.append(
                    msgspec.structs.replace(
                        found,
                        triggers=self._attached.triggers(oid),
                        row_security=row_security,
                        policies=self._attached.policies(oid),
                        grants=self._attached.grants(oid),
                        comment=comment,
                    )
                )
        return tuple(tables), tuple(views)

    def _view(self, oid: int, name: str, materialized: bool, comment: str) -> View:
        rows = self._views[oid]
        return View(
            name=name,
            columns=tuple(ViewColumn(name=column, type=declared) for column, declared, _ in rows),
            body=rows[0][2] if rows else "",
            materialized=materialized,
            triggers=self._attached.triggers(oid),
            grants=self._attached.grants(oid),
            comment=comment,
        )

    def _table(self, oid: int, name: str, options: tuple[str, ...]) -> Table:
        checks: list[Check] = []
        columns = tuple(self._column(row, checks) for row in self._columns[oid])
        primary_key, foreign_keys = None, []
        for kind, constraint, deferrable, validated, keys, expression, *reference in self._constraints[oid]:
            if kind == "c":
                checks.append(Check(name=constraint, expression=expression, validated=validated))
            elif kind == "p":
                primary_key = PrimaryKey(name=constraint, columns=tuple(keys), deferrable=deferrable)
            elif kind == "f":
                foreign_keys.append(_foreign_key(constraint, deferrable, validated, keys, reference))
        return Table(
            name=name,
            columns=columns,
            primary_key=primary_key,
            foreign_keys=tuple(foreign_keys),
            indexes=tuple(self._index(row) for row in self._indexes[oid]),
            checks=tuple(checks),
            options=options,
        )

    def _column(self, row: Row, checks: list[Check]) -> Column:
        name, type_oid, type_name, element, nullable, default, identity, generated, collation, comment = row
        while type_oid in self._domains:
            checks += [
                Check(name=constraint, expression=_of_column(expression, name))
                for constraint, expression in self._domain_checks[type_oid]
            ]
            type_oid, type_name, element, not_null, domain_default = self._domains[type_oid]
            nullable, default = nullable and not not_null, default if default is not None else domain_default
        numbered: Identity = {"a": "always", "d": "by default"}.get(identity, "")  # type: ignore[assignment]
        if not generated and default is not None and default.startswith("nextval("):
            numbered, default = "by default", None
        return Column(
            name=name,
            type=type_name,
            labels=self._labels.get(type_oid) or self._labels.get(element) or (),
            nullable=nullable,
            default=None if generated else default,
            identity=numbered,
            generated=default if generated else None,
            stored=generated == "s",
            collation=collation or "",
            comment=comment,
        )

    def _index(self, row: Row) -> Index:
        oid, name, unique, include, predicate, method, nulls_distinct, deferrable, valid = row
        keys = [
            Key(
                column=column,
                expression=None if column else expression,
                descending=descending,
                nulls_first=None if nulls_first == descending else nulls_first,
                collation=collation or "",
                operator_class=operator_class or "",
                excludes_with=operator or "",
            )
            for column, expression, descending, nulls_first, collation, operator_class, operator in self._keys[oid]
        ]
        return Index(
            name=name,
            keys=tuple(keys),
            unique=unique,
            include=tuple(include),
            predicate=predicate,
            method=method,
            nulls_distinct=nulls_distinct,
            deferrable=deferrable,
            valid=valid,
        )


def _foreign_key(name: str, deferrable: str, validated: bool, keys: list[str], reference: list[Any]) -> ForeignKey:
    table, columns, on_update, on_delete, set_columns, match = reference
    deleting = _ACTIONS[on_delete] + (f" ({', '.join(set_columns)})" if set_columns else "")
    return ForeignKey(
        name=name,
        columns=tuple(keys),
        table=table,
        references=tuple(columns),
        on_delete=deleting,
        on_update=_ACTIONS[on_update],
        match={"f": "full", "p": "partial"}.get(match, "simple"),
        deferrable=deferrable,
        validated=validated,
    )


def _of_column(expression: str, column: str) -> str:
    """A domain's CHECK refers to VALUE."""
    import sqlglot
    from sqlglot import exp

    tree = sqlglot.parse_one(expression, dialect="postgres")
    for found in list(tree.find_all(exp.Column)):
        if found.name.upper() == "VALUE" and not found.this.quoted:
            found.replace(exp.column(column, quoted=True))
    return tree.sql(dialect="postgres")


_ACTIONS = {"a": "no action", "r": "restrict", "c": "cascade", "n": "set null", "d": "set default"}
