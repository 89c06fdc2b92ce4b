-- Tables and views of a schema, without partitions and without what an extension owns.
-- Parameter: schema, an oid (select 'public'::regnamespace::oid).
select
    c.oid::bigint,
    c.relname::text,
    c.relkind::text,
    array_remove(array[
        case when c.relkind = 'p' then 'partition by ' || pg_get_partkeydef(c.oid) end,
        case when c.relkind = 'f' then 'foreign' end,
        case when c.relpersistence = 'u' then 'unlogged' end
    ], null),
    case
        when not c.relrowsecurity then ''
        when c.relforcerowsecurity then 'forced' else 'enabled'
    end,
    coalesce(obj_description(c.oid, 'pg_class'), '')
from pg_catalog.pg_class as c
where
    c.relnamespace = cast(:schema as oid)
    and c.relkind in ('r', 'p', 'f', 'v', 'm')
    and not c.relispartition
    and not exists (
        select from pg_catalog.pg_depend as d
        where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
    )
order by c.relname;
