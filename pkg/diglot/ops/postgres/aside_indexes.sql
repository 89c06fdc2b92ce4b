-- The statement that drops each plain index of some tables, and the statement that creates it again as it was. An index
-- that backs a constraint, that its table is clustered or replicated by, or that has a comment or a tablespace of its
-- own stays.
-- Parameters: names, the tables' names in the current schema; with_unique, whether unique indexes are among them.
select
    format('drop index %I.%I', n.nspname, i.relname),
    pg_get_indexdef(i.oid)
from pg_catalog.pg_index as x
inner join pg_catalog.pg_class as i on x.indexrelid = i.oid
inner join pg_catalog.pg_class as t on x.indrelid = t.oid
inner join pg_catalog.pg_namespace as n on i.relnamespace = n.oid
where
    t.relnamespace = cast(current_schema() as regnamespace)
    and t.relname = any(cast(:names as text[]))
    and t.relkind = 'r'
    and (not x.indisunique or cast(:with_unique as boolean))
    and i.reltablespace = 0
    and x.indisvalid
    and not x.indisclustered
    and not x.indisreplident
    and obj_description(i.oid, 'pg_class') is null
    -- A foreign key may rely on a unique index that is not a constraint.
    and not exists (
        select from pg_catalog.pg_constraint as c
        where c.conindid = i.oid
    )
order by i.relname;
