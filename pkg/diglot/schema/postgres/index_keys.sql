-- Keys of these indexes, in their order. Parameter: schema, an oid.
select
    i.indexrelid::bigint,
    a.attname::text,
    pg_get_indexdef(i.indexrelid, k.place::int, false),
    i.indoption[k.place - 1] & 1 = 1,
    i.indoption[k.place - 1] & 2 = 2,
    case
        when i.indcollation[k.place - 1] = coalesce(a.attcollation, d.oid) then ''
        else l.collname::text
    end,
    case when not o.opcdefault then o.opcname::text end,
    (
        select p.oprname::text from pg_catalog.pg_constraint as c
        inner join pg_catalog.pg_operator as p on p.oid = c.conexclop[k.place]
        where c.conindid = i.indexrelid and c.contype = 'x'
    )
from pg_catalog.pg_index as i
inner join pg_catalog.pg_class as t on i.indrelid = t.oid
cross join lateral generate_series(1, i.indnkeyatts) as k (place)
inner join pg_catalog.pg_opclass as o on o.oid = i.indclass[k.place - 1]
inner join pg_catalog.pg_collation as d on d.collname = 'default' and d.collnamespace = 'pg_catalog'::regnamespace
left join pg_catalog.pg_attribute as a
    on
        i.indrelid = a.attrelid and a.attnum = i.indkey[k.place - 1]
        and i.indkey[k.place - 1] <> 0
left join pg_catalog.pg_collation as l on l.oid = i.indcollation[k.place - 1]
where t.relnamespace = cast(:schema as oid) and not i.indisprimary
order by i.indexrelid, k.place;
