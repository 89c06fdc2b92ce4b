-- The B-trees and tables of the schema, by number; without other sessions' temporary tables, which can't be read.
select
    cast(c.oid as bigint),
    c.relname::text,
    'index'
from pg_catalog.pg_class as c
inner join pg_catalog.pg_index as x on c.oid = x.indexrelid
inner join pg_catalog.pg_am as a on c.relam = a.oid
where
    c.relnamespace = cast(current_schema() as regnamespace) and a.amname = 'btree' and c.relkind = 'i' and x.indisvalid
union all
select
    cast(c.oid as bigint),
    c.relname::text,
    'table'
from pg_catalog.pg_class as c
inner join pg_catalog.pg_am as a on c.relam = a.oid
where c.relnamespace = cast(current_schema() as regnamespace) and a.amname = 'heap' and c.relkind in ('r', 'm')
order by 2;
