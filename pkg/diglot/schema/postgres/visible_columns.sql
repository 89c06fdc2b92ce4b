-- Columns of every table and view that is found without the name of its schema. A domain's type is its base type. The
-- last column: whether a trigger can change a row before it is stored, or store something else in its place.
select
    relation.relname::text,
    a.attname::text,
    pg_catalog.format_type(a.atttypid, a.atttypmod),
    coalesce(base.typname, t.typname)::text,
    t.typtype::text,
    a.attnotnull or t.typnotnull,
    relation.relkind in ('r', 'p'),
    relation.oid in (
        select made.tgrelid from pg_catalog.pg_trigger as made
        where not made.tgisinternal and made.tgtype & 66 <> 0
    )
from pg_catalog.pg_attribute as a
inner join pg_catalog.pg_class as relation on a.attrelid = relation.oid
inner join pg_catalog.pg_type as t on a.atttypid = t.oid
left join pg_catalog.pg_type as base on t.typtype = 'd' and t.typbasetype = base.oid
where
    pg_catalog.pg_table_is_visible(relation.oid)
    and relation.relkind in ('r', 'p', 'v', 'm', 'f')
    and a.attnum > 0
    and not a.attisdropped
    and relation.relnamespace <> 'pg_catalog'::regnamespace
order by relation.relname, a.attnum;
