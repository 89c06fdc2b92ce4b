-- Triggers of a schema. Parameter: schema, an oid.
select
    t.tgrelid::bigint,
    t.tgname::text
from pg_catalog.pg_trigger as t
inner join pg_catalog.pg_class as c on t.tgrelid = c.oid
where c.relnamespace = cast(:schema as oid) and not t.tgisinternal and t.tgparentid = 0
order by t.tgname;
