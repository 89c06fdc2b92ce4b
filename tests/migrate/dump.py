"""What a database's schema is, as a sorted list of lines: two schemas are the same when their dumps are equal."""

from __future__ import annotations

from diglot.sql.session import Dialect, Statement
from diglot.stores.store import Store

BOOKS = ("_yoyo_log", "_yoyo_migration", "_yoyo_version", "diglot_migration_checksum")


def tables(store: Store) -> list[str]:
    """The tables, without those that the migrations are kept in."""
    return sorted(str(name) for (name,) in store.rows(_TABLES[store.dialect]) if name not in BOOKS)


def dump(store: Store) -> list[str]:
    """Columns, constraints and indexes of these tables."""
    wanted = set(tables(store))
    return sorted(
        " | ".join(map(str, row))
        for statement in _DUMP[store.dialect]
        for row in store.rows(statement)
        if row[0] in wanted
    )


def indexes(store: Store) -> dict[str, tuple[str, bool, str]]:
    """Name → table, unique, and what it says from the columns on: ``(created_at desc, id desc)``."""
    found = {}
    for table, name, text in store.rows(_INDEXES[store.dialect]):
        text = " ".join(str(text).lower().split())
        found[str(name)] = (str(table), "create unique" in text, text[text.index("(") :])
    return found


def _statement(text: str) -> Statement:
    return Statement("test.dump", text)


_TABLES: dict[Dialect, Statement] = {
    "sqlite": _statement("select name from sqlite_schema where type = 'table' and name not like 'sqlite_stat%'"),
    "postgres": _statement("select tablename::text from pg_tables where schemaname = current_schema()"),
}
_INDEXES: dict[Dialect, Statement] = {
    "sqlite": _statement("select tbl_name, name, sql from sqlite_schema where type = 'index' and sql is not null"),
    "postgres": _statement(
        """select i.tablename::text, i.indexname::text, i.indexdef
        from pg_indexes as i
        where i.schemaname = current_schema() and i.indexname not like 'pk%' and i.indexname not like '%yoyo%'"""
    ),
}
_DUMP: dict[Dialect, list[Statement]] = {
    "sqlite": [_statement("select tbl_name, type, name, sql from sqlite_schema")],
    "postgres": [
        _statement(
            """select c.relname::text, a.attnum, a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                pg_get_expr(d.adbin, d.adrelid), l.collname::text
            from pg_attribute as a
            inner join pg_class as c on c.oid = a.attrelid
            left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
            left join pg_collation as l on l.oid = a.attcollation
            where c.relkind = 'r' and a.attnum > 0 and not a.attisdropped"""
        ),
        _statement(
            """select c.relname::text, n.conname::text, pg_get_constraintdef(n.oid)
            from pg_constraint as n inner join pg_class as c on c.oid = n.conrelid"""
        ),
        _statement("select tablename::text, indexname::text, indexdef from pg_indexes"),
    ],
}
