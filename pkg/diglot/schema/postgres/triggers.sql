-- Triggers of a schema, with the source of their functions. Parameter: schema, an oid.
-- tgtype is a set of bits: 1 row, 2 before, 4 insert, 8 delete, 16 update, 32 truncate, 64 instead of.
select
    t.tgrelid::bigint,
    t.tgname::text,
    t.tgtype::int,
    array(
        select a.attname::text
        from unnest(t.tgattr::smallint[]) as k (number)
        inner join pg_catalog.pg_attribute as a on a.attrelid = t.tgrelid and k.number = a.attnum
        order by a.attname
    ),
    pg_get_triggerdef(t.oid),
    t.tgenabled <> 'D',
    f.prosrc
from pg_catalog.pg_trigger as t
inner join pg_catalog.pg_class as c on t.tgrelid = c.oid
inner join pg_catalog.pg_proc as f on t.tgfoid = f.oid
where c.relnamespace = cast(:schema as oid) and not t.tgisinternal and t.tgparentid = 0
order by t.tgname;
