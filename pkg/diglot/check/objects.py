"""Everything that migrations made in a database, by name, each with its definition: to see what a rollback left behind.

Unlike the drift check, which asks whether two engines mean the same, this compares an engine with itself, so
definitions are compared as the engine tells them. The tables that migration tools keep their books in do not count.
"""

from __future__ import annotations

import re
from typing import Any

from diglot.sql.scanner import Kind, scan
from diglot.stores.session import Dialect

Objects = dict[str, str]
"""``column users.email`` to its definition."""

_BOOKS = re.compile(r"_?yoyo_|diglot_migration_|sqlite_")


def objects(connection: Any, dialect: Dialect) -> Objects:
    """What there is, read on the driver's own connection."""
    if dialect == "sqlite":
        return _of_sqlite(connection)
    import psycopg

    with psycopg.Cursor(connection, row_factory=psycopg.rows.tuple_row) as cursor:
        rows = cursor.execute(_OF_POSTGRES, prepare=False).fetchall()
    return {name: definition or "" for name, definition in rows if not _BOOKS.match(name.partition(" ")[2])}


def difference(before: Objects, after: Objects) -> str | None:
    """In words, the first few things that are not as they were; None where all is."""
    said = [f"{name} is gone" for name in _outermost(before.keys() - after.keys())]
    said += [f"{name} is there" for name in _outermost(after.keys() - before.keys())]
    said += [f"{name} is another" for name in sorted(before.keys() & after.keys()) if before[name] != after[name]]
    if not said:
        return None
    return ", ".join(said[:3]) + (f" and {len(said) - 3} more" if len(said) > 3 else "")


def _outermost(names: set[str]) -> list[str]:
    """Tables and views before what they have, which is left out where they themselves are named."""
    tables = {name.partition(" ")[2] for name in names if name.startswith(("table ", "view "))}
    inner = {name for name in names if name.partition(" ")[2].rpartition(".")[0] in tables}
    return sorted(names - inner, key=lambda name: (not name.startswith(("table ", "view ")), name))


def _of_sqlite(connection: Any) -> Objects:
    found: Objects = {}
    rows = connection.execute("select type, name, tbl_name, sql from sqlite_schema").fetchall()
    for kind, name, table, sql in rows:
        if _BOOKS.match(name) or _BOOKS.match(table):
            continue
        found[f"{kind} {name}"] = _normal(sql or "")
        if kind == "table":
            columns = connection.execute("select * from pragma_table_xinfo(?)", (name,)).fetchall()
            found.update({f"column {name}.{column[1]}": str(column[2:]) for column in columns})
    return found


def _normal(sql: str) -> str:
    """Without comments, white space, and quotes around names that need none: what ALTER TABLE leaves differently."""
    parts: list[str] = []
    for token in scan(sql):
        if token.kind is Kind.CODE:
            parts.extend(re.findall(r"\w+|[^\w\s]", token.text.lower()))
        elif token.kind is Kind.IDENTIFIER and re.fullmatch(r"\w+", token.text[1:-1]):
            parts.append(token.text[1:-1].lower())
        elif token.kind not in (Kind.LINE_COMMENT, Kind.BLOCK_COMMENT):
            parts.append(token.text)
    return " ".join(parts)


_OF_POSTGRES = """
with mine as (
    select n.oid, n.nspname
    from pg_namespace as n
    where n.nspname <> 'information_schema' and n.nspname not like 'pg\\_%'
),
relations as (
    select c.oid, c.relkind, c.reloptions, m.nspname, case m.nspname when 'public' then '' else m.nspname || '.' end
        || c.relname as name
    from pg_class as c
    inner join mine as m on m.oid = c.relnamespace
)
select 'schema ' || nspname, '' from mine where nspname <> 'public'
union all
select
    case r.relkind when 'S' then 'sequence ' when 'v' then 'view ' when 'm' then 'view ' when 'i' then 'index '
        when 'I' then 'index ' else 'table ' end || r.name,
    case when r.relkind in ('v', 'm') then pg_get_viewdef(r.oid)
        when r.relkind in ('i', 'I') then pg_get_indexdef(r.oid)
        else array_to_string(r.reloptions, ',') end
from relations as r
union all
select
    'column ' || r.name || '.' || a.attname,
    concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
        (select collname from pg_collation where oid = a.attcollation), pg_get_expr(d.adbin, d.adrelid))
from relations as r
inner join pg_attribute as a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
left join pg_attrdef as d on d.adrelid = r.oid and d.adnum = a.attnum
where r.relkind not in ('i', 'I', 'S')
union all
select 'constraint ' || r.name || '.' || c.conname, pg_get_constraintdef(c.oid) || c.convalidated::text
from relations as r
inner join pg_constraint as c on c.conrelid = r.oid
union all
select 'trigger ' || r.name || '.' || t.tgname, pg_get_triggerdef(t.oid) || t.tgenabled::text
from relations as r
inner join pg_trigger as t on t.tgrelid = r.oid and not t.tgisinternal
union all
select 'policy ' || r.name || '.' || p.polname,
    concat_ws(' ', p.polcmd, pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
from relations as r
inner join pg_policy as p on p.polrelid = r.oid
union all
select 'function ' || m.nspname || '.' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
    case p.prokind when 'a' then '' else pg_get_functiondef(p.oid) end
from pg_proc as p
inner join mine as m on m.oid = p.pronamespace
where not exists (select 1 from pg_depend as d where d.objid = p.oid and d.deptype = 'e')
union all
select 'type ' || t.typname,
    concat_ws(' ',
        (select string_agg(e.enumlabel, ',' order by e.enumsortorder) from pg_enum as e where e.enumtypid = t.oid),
        (select string_agg(pg_get_constraintdef(c.oid), ',') from pg_constraint as c where c.contypid = t.oid))
from pg_type as t
inner join mine as m on m.oid = t.typnamespace
where t.typtype in ('e', 'd', 'r') and not exists (
    select 1 from pg_depend as d where d.objid = t.oid and d.deptype = 'e'
)
union all
select 'extension ' || extname, '' from pg_extension
"""
