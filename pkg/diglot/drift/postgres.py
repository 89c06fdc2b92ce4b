"""The schema of a PostgreSQL database, from its catalog, in one read-only snapshot.

Works on PostgreSQL 15 to 18: what only newer ones have is read through ``to_jsonb``. PostgreSQL 18 names its not-null
constraints in pg_constraint; nullability is a column's here, so they are not read.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from diglot.drift.bookkeeping import is_bookkeeping
from diglot.drift.schema import Check, Column, ForeignKey, Identity, Index, Key, PrimaryKey, Schema, Table
from diglot.errors import ConfigurationError
from diglot.stores.session import Row, Session, Statement, Store


def read_postgres(store: Store, schema: str | None = None) -> Schema:
    """All of one schema, by default the connection's first. ConfigurationError where there is no such schema."""
    with store.snapshot() as session:
        found = read_session(session, f"{store.location} ({store.server_version})", schema)
    if found is None:
        raise ConfigurationError(
            f"there is no schema {schema!r} in {store.location}"
            if schema
            else f"the connection to {store.location} has no schema of its own: name one with ?schema=…"
        )
    return found


def read_session(session: Session, location: str, schema: str | None = None) -> Schema | None:
    """As ``read_postgres``, as the session's transaction sees it; None where there is no such schema."""
    found = session.rows(_SCHEMA, (schema,))
    if not found:
        return None
    oid, name = found[0]
    session.rows(_SEARCH_PATH, (name,))
    tables, views = _Reader(session, oid).read()
    return Schema(dialect="postgres", location=f"{location}, schema {name}", tables=tables, views=views)


class _Reader:
    """Rows of the catalog, gathered by the table's oid."""

    def __init__(self, session: Session, schema: int) -> None:
        self._domains = {row[0]: row[1:] for row in session.rows(_DOMAINS)}
        self._domain_checks = _by_first(session.rows(_DOMAIN_CHECKS))
        self._labels = {oid: tuple(labels) for oid, labels in session.rows(_LABELS)}
        self._relations = session.rows(_RELATIONS, (schema,))
        self._columns = _by_first(session.rows(_COLUMNS, (schema,)))
        self._constraints = _by_first(session.rows(_CONSTRAINTS, (schema,)))
        self._indexes = _by_first(session.rows(_INDEXES, (schema,)))
        self._keys = _by_first(session.rows(_KEYS, (schema,)))
        self._triggers = _by_first(session.rows(_TRIGGERS, (schema,)))

    def read(self) -> tuple[tuple[Table, ...], tuple[str, ...]]:
        tables, views = [], []
        for oid, name, kind, options in self._relations:
            if is_bookkeeping(name):
                continue
            if kind in ("v", "m"):
                views.append(name)
            else:
                tables.append(self._table(oid, name, tuple(options)))
        return tuple(tables), tuple(views)

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
            triggers=tuple(trigger for (trigger,) in self._triggers[oid]),
            options=options,
        )

    def _column(self, row: Row, checks: list[Check]) -> Column:
        name, type_oid, type_name, element, nullable, default, identity, generated, collation = row
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
    """A domain's CHECK speaks of VALUE."""
    import sqlglot
    from sqlglot import exp

    tree = sqlglot.parse_one(expression, dialect="postgres")
    for found in list(tree.find_all(exp.Column)):
        if found.name.upper() == "VALUE" and not found.this.quoted:
            found.replace(exp.column(column, quoted=True))
    return tree.sql(dialect="postgres")


def _by_first(rows: list[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = defaultdict(list)
    for first, *rest in rows:
        found[first].append(tuple(rest))
    return found


_ACTIONS = {"a": "no action", "r": "restrict", "c": "cascade", "n": "set null", "d": "set default"}

_SCHEMA = Statement(
    "drift.schema",
    """select n.oid::bigint, n.nspname::text
    from pg_catalog.pg_namespace n
    where n.nspname = coalesce($1::text, current_schema()::text)""",
)
# So that pg_get_expr and format_type name what is in this schema without it.
_SEARCH_PATH = Statement("drift.search_path", "select set_config('search_path', quote_ident($1::text), true)")
_DOMAINS = Statement(
    "drift.domains",
    """select
        t.oid::bigint, t.typbasetype::bigint, format_type(t.typbasetype, t.typtypmod), b.typelem::bigint,
        t.typnotnull, pg_get_expr(t.typdefaultbin, 0)
    from pg_catalog.pg_type t
    join pg_catalog.pg_type b on b.oid = t.typbasetype
    where t.typtype = 'd'""",
)
_DOMAIN_CHECKS = Statement(
    "drift.domain_checks",
    """select c.contypid::bigint, c.conname::text, pg_get_expr(c.conbin, 0)
    from pg_catalog.pg_constraint c
    where c.contypid <> 0 and c.contype = 'c'
    order by c.conname""",
)
_LABELS = Statement(
    "drift.labels",
    """select e.enumtypid::bigint, array_agg(e.enumlabel::text order by e.enumsortorder)
    from pg_catalog.pg_enum e
    group by e.enumtypid""",
)
_RELATIONS = Statement(
    "drift.relations",
    """select
        c.oid::bigint, c.relname::text, c.relkind::text,
        array_remove(array[
            case when c.relkind = 'p' then 'partition by ' || pg_get_partkeydef(c.oid) end,
            case when c.relkind = 'f' then 'foreign' end,
            case when c.relpersistence = 'u' then 'unlogged' end
        ], null)
    from pg_catalog.pg_class c
    where c.relnamespace = $1::oid
        and c.relkind in ('r', 'p', 'f', 'v', 'm')
        and not c.relispartition
        and not exists (
            select from pg_catalog.pg_depend d
            where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
        )
    order by c.relname""",
)
_COLUMNS = Statement(
    "drift.columns",
    """select
        a.attrelid::bigint, a.attname::text, a.atttypid::bigint, format_type(a.atttypid, a.atttypmod),
        t.typelem::bigint, not a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attidentity::text,
        a.attgenerated::text, case when l.collname <> 'default' then l.collname::text end
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_class c on c.oid = a.attrelid
    join pg_catalog.pg_type t on t.oid = a.atttypid
    left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    left join pg_catalog.pg_collation l on l.oid = a.attcollation
    where c.relnamespace = $1::oid and c.relkind in ('r', 'p', 'f') and a.attnum > 0 and not a.attisdropped
    order by a.attrelid, a.attnum""",
)
_CONSTRAINTS = Statement(
    "drift.constraints",
    """select
        c.conrelid::bigint, c.contype::text, c.conname::text,
        case when not c.condeferrable then ''
            when c.condeferred then 'deferrable initially deferred' else 'deferrable' end,
        c.convalidated,
        array(
            select a.attname::text
            from unnest(c.conkey) with ordinality as k (number, place)
            join pg_catalog.pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.number
            order by k.place
        ),
        pg_get_expr(c.conbin, c.conrelid),
        case when r.relnamespace = t.relnamespace then r.relname::text
            else s.nspname::text || '.' || r.relname::text end,
        array(
            select a.attname::text
            from unnest(c.confkey) with ordinality as k (number, place)
            join pg_catalog.pg_attribute a on a.attrelid = c.confrelid and a.attnum = k.number
            order by k.place
        ),
        c.confupdtype::text, c.confdeltype::text,
        array(
            select a.attname::text
            from pg_catalog.pg_attribute a
            where a.attrelid = c.conrelid and a.attnum = any(c.confdelsetcols)
            order by a.attname
        ),
        c.confmatchtype::text
    from pg_catalog.pg_constraint c
    join pg_catalog.pg_class t on t.oid = c.conrelid
    left join pg_catalog.pg_class r on r.oid = c.confrelid
    left join pg_catalog.pg_namespace s on s.oid = r.relnamespace
    where t.relnamespace = $1::oid
        and c.contype in ('p', 'f', 'c')
        and c.conparentid = 0
        and coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true)
    order by c.conrelid, c.conname""",
)
_INDEXES = Statement(
    "drift.indexes",
    """select
        i.indrelid::bigint, i.indexrelid::bigint, n.relname::text, i.indisunique,
        array(
            select pg_get_indexdef(i.indexrelid, k, true)
            from generate_series(i.indnkeyatts + 1, i.indnatts) as k
        ),
        pg_get_expr(i.indpred, i.indrelid), m.amname::text, not i.indnullsnotdistinct,
        case when c.condeferrable is not true then ''
            when c.condeferred then 'deferrable initially deferred' else 'deferrable' end,
        i.indisvalid
    from pg_catalog.pg_index i
    join pg_catalog.pg_class t on t.oid = i.indrelid
    join pg_catalog.pg_class n on n.oid = i.indexrelid
    join pg_catalog.pg_am m on m.oid = n.relam
    left join pg_catalog.pg_constraint c on c.conindid = i.indexrelid and c.contype in ('u', 'x')
    where t.relnamespace = $1::oid and not i.indisprimary
    order by n.relname""",
)
_KEYS = Statement(
    "drift.keys",
    """select
        i.indexrelid::bigint, a.attname::text, pg_get_indexdef(i.indexrelid, k.place::int, false),
        i.indoption[k.place - 1] & 1 = 1, i.indoption[k.place - 1] & 2 = 2,
        case
            when i.indcollation[k.place - 1] = coalesce(a.attcollation, d.oid) then ''
            else l.collname::text
        end,
        case when not o.opcdefault then o.opcname::text end,
        (
            select p.oprname::text from pg_catalog.pg_constraint c
            join pg_catalog.pg_operator p on p.oid = c.conexclop[k.place]
            where c.conindid = i.indexrelid and c.contype = 'x'
        )
    from pg_catalog.pg_index i
    join pg_catalog.pg_class t on t.oid = i.indrelid
    cross join lateral generate_series(1, i.indnkeyatts) as k (place)
    join pg_catalog.pg_opclass o on o.oid = i.indclass[k.place - 1]
    join pg_catalog.pg_collation d on d.collname = 'default' and d.collnamespace = 'pg_catalog'::regnamespace
    left join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[k.place - 1]
        and i.indkey[k.place - 1] <> 0
    left join pg_catalog.pg_collation l on l.oid = i.indcollation[k.place - 1]
    where t.relnamespace = $1::oid and not i.indisprimary
    order by i.indexrelid, k.place""",
)
_TRIGGERS = Statement(
    "drift.triggers",
    """select t.tgrelid::bigint, t.tgname::text
    from pg_catalog.pg_trigger t
    join pg_catalog.pg_class c on c.oid = t.tgrelid
    where c.relnamespace = $1::oid and not t.tgisinternal and t.tgparentid = 0
    order by t.tgname""",
)
