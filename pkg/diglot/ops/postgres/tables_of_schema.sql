-- The tables of a schema, except those of extensions.
-- Parameter: schema_name.
select c.relname::text
from pg_catalog.pg_class as c
inner join pg_catalog.pg_namespace as n on c.relnamespace = n.oid
where
    n.nspname = cast(:schema_name as text)
    and c.relkind in ('r', 'p', 'f')
    and not exists (
        select
        from pg_catalog.pg_depend as d
        where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
    )
order by c.relname;
