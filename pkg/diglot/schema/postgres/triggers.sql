-- Triggers of a schema. Parameter: schema, an oid.
select t.tgrelid::bigint, t.tgname::text
from pg_catalog.pg_trigger t
join pg_catalog.pg_class c on c.oid = t.tgrelid
where c.relnamespace = cast(:schema as oid) and not t.tgisinternal and t.tgparentid = 0
order by t.tgname;
