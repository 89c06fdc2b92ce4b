-- Columns of the views of a schema, with the view's query. Parameter: schema, an oid.
select
    c.oid::bigint,
    a.attname::text,
    format_type(a.atttypid, a.atttypmod),
    pg_get_viewdef(c.oid)
from pg_catalog.pg_class as c
inner join pg_catalog.pg_attribute as a on c.oid = a.attrelid and a.attnum > 0 and not a.attisdropped
where c.relnamespace = cast(:schema as oid) and c.relkind in ('v', 'm')
order by c.oid, a.attnum;
