-- Columns of the tables of a schema. Parameter: schema, an oid.
select
    a.attrelid::bigint, a.attname::text, a.atttypid::bigint, format_type(a.atttypid, a.atttypmod),
    t.typelem::bigint, not a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attidentity::text,
    a.attgenerated::text, case when l.collname <> 'default' then l.collname::text end
from pg_catalog.pg_attribute a
join pg_catalog.pg_class c on c.oid = a.attrelid
join pg_catalog.pg_type t on t.oid = a.atttypid
left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
left join pg_catalog.pg_collation l on l.oid = a.attcollation
where c.relnamespace = cast(:schema as oid) and c.relkind in ('r', 'p', 'f') and a.attnum > 0 and not a.attisdropped
order by a.attrelid, a.attnum;
