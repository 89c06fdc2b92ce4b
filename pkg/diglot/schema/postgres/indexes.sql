-- Indexes of a schema, without those of primary keys. Parameter: schema, an oid.
select
    i.indrelid::bigint,
    i.indexrelid::bigint,
    n.relname::text,
    i.indisunique,
    array(
        select pg_get_indexdef(i.indexrelid, k, true)
        from generate_series(i.indnkeyatts + 1, i.indnatts) as k
    ),
    pg_get_expr(i.indpred, i.indrelid),
    m.amname::text,
    not i.indnullsnotdistinct,
    case
        when c.condeferrable is not true then ''
        when c.condeferred then 'deferrable initially deferred' else 'deferrable'
    end,
    i.indisvalid
from pg_catalog.pg_index as i
inner join pg_catalog.pg_class as t on i.indrelid = t.oid
inner join pg_catalog.pg_class as n on i.indexrelid = n.oid
inner join pg_catalog.pg_am as m on n.relam = m.oid
left join pg_catalog.pg_constraint as c on i.indexrelid = c.conindid and c.contype in ('u', 'x')
where t.relnamespace = cast(:schema as oid) and not i.indisprimary
order by n.relname;
