-- Columns of every table and view that is found without the name of its schema. A domain's type is its base type.
select
    class.relname::text,
    attribute.attname::text,
    pg_catalog.format_type(attribute.atttypid, attribute.atttypmod),
    coalesce(base.typname, type.typname)::text,
    type.typtype::text,
    attribute.attnotnull or type.typnotnull,
    class.relkind in ('r', 'p')
from pg_catalog.pg_attribute as attribute
inner join pg_catalog.pg_class as class on attribute.attrelid = class.oid
inner join pg_catalog.pg_type as type on attribute.atttypid = type.oid
left join pg_catalog.pg_type as base on type.typtype = 'd' and type.typbasetype = base.oid
where
    pg_catalog.pg_table_is_visible(class.oid)
    and class.relkind in ('r', 'p', 'v', 'm', 'f')
    and attribute.attnum > 0
    and not attribute.attisdropped
    and class.relnamespace <> 'pg_catalog'::regnamespace
order by class.relname, attribute.attnum;
