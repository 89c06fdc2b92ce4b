-- The query of every view that is found without the name of its schema.
select
    relation.relname::text,
    pg_catalog.pg_get_viewdef(relation.oid)
from pg_catalog.pg_class as relation
where
    pg_catalog.pg_table_is_visible(relation.oid)
    and relation.relkind in ('v', 'm')
    and relation.relnamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
order by relation.relname;
