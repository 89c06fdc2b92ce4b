-- Primary keys, foreign keys and CHECK constraints of a schema. Parameter: schema, an oid.
-- PostgreSQL 18 has conenforced; to_jsonb reads it without failing on older versions.
select
    c.conrelid::bigint,
    c.contype::text,
    c.conname::text,
    case
        when not c.condeferrable then ''
        when c.condeferred then 'deferrable initially deferred' else 'deferrable'
    end,
    c.convalidated,
    array(
        select a.attname::text
        from unnest(c.conkey) with ordinality as k (number, place)
        inner join pg_catalog.pg_attribute as a on a.attrelid = c.conrelid and k.number = a.attnum
        order by k.place
    ),
    pg_get_expr(c.conbin, c.conrelid),
    case
        when r.relnamespace = t.relnamespace then r.relname::text
        else s.nspname::text || '.' || r.relname::text
    end,
    array(
        select a.attname::text
        from unnest(c.confkey) with ordinality as k (number, place)
        inner join pg_catalog.pg_attribute as a on a.attrelid = c.confrelid and k.number = a.attnum
        order by k.place
    ),
    c.confupdtype::text,
    c.confdeltype::text,
    array(
        select a.attname::text
        from pg_catalog.pg_attribute as a
        where a.attrelid = c.conrelid and a.attnum = any(c.confdelsetcols)
        order by a.attname
    ),
    c.confmatchtype::text
from pg_catalog.pg_constraint as c
inner join pg_catalog.pg_class as t on c.conrelid = t.oid
left join pg_catalog.pg_class as r on c.confrelid = r.oid
left join pg_catalog.pg_namespace as s on r.relnamespace = s.oid
where
    t.relnamespace = cast(:schema as oid)
    and c.contype in ('p', 'f', 'c')
    and c.conparentid = 0
    and coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true)
order by c.conrelid, c.conname;
