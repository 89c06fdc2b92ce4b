-- Foreign keys, and whether an index finds the rows by them. An index that leaves out the rows without a value serves
-- too: a row without one refers to none.
select
    f.conname::text,
    child.relname::text,
    parent.relname::text,
    (
        select string_agg(a.attname::text, ', ' order by k.position)
        from unnest(f.conkey) with ordinality as k (attnum, position)
        inner join pg_attribute as a on a.attrelid = f.conrelid and k.attnum = a.attnum
    ),
    f.confdeltype = 'c',
    exists(
        select 1
        from pg_index as i
        where
            i.indrelid = f.conrelid
            and i.indisvalid
            and (i.indkey::int2[])[0:cardinality(f.conkey) - 1] @> f.conkey
            and (
                i.indpred is null
                or replace(pg_get_expr(i.indpred, i.indrelid, true), ' AND ', '') in (
                    select string_agg(quote_ident(a.attname) || ' IS NOT NULL', '')
                    from pg_attribute as a
                    where a.attrelid = f.conrelid and a.attnum = any(f.conkey)
                    union all
                    select quote_ident(a.attname) || ' IS NOT NULL'
                    from pg_attribute as a
                    where a.attrelid = f.conrelid and a.attnum = any(f.conkey)
                )
            )
    )
from pg_constraint as f
inner join pg_class as child on f.conrelid = child.oid
inner join pg_class as parent on f.confrelid = parent.oid
where f.contype = 'f'
order by 1, 2;
