-- Columns of the tables of a schema. Parameter: schema, an oid.
select
    a.attrelid::bigint,
    a.attname::text,
    a.atttypid::bigint,
    format_type(a.atttypid, a.atttypmod),
    t.typelem::bigint,
    not a.attnotnull,
    pg_get_expr(d.adbin, d.adrelid),
    a.attidentity::text,
    a.attgenerated::text,
    case when l.collname <> 'default' then l.collname::text end,
    coalesce(col_description(a.attrelid, a.attnum), '')
from pg_catalog.pg_attribute as a
inner join pg_catalog.pg_class as c on a.attrelid = c.oid
inner join pg_catalog.pg_type as t on a.atttypid = t.oid
left join pg_catalog.pg_attrdef as d on a.attrelid = d.adrelid and a.attnum = d.adnum
left join pg_catalog.pg_collation as l on a.attcollation = l.oid
where c.relnamespace = cast(:schema as oid) and c.relkind in ('r', 'p', 'f') and a.attnum > 0 and not a.attisdropped
order by a.attrelid, a.attnum;
