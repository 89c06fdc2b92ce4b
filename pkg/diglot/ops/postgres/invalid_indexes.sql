-- Invalid indexes of the schema, whether they belong to a partitioned table, and whether they are being built right now:
-- otherwise a 'create index concurrently' has failed.
select
    i.relname::text,
    i.relkind = 'I',
    exists(
        select from pg_catalog.pg_stat_progress_create_index as b
        where b.index_relid = i.oid
    )
from pg_catalog.pg_index as x
inner join pg_catalog.pg_class as i on x.indexrelid = i.oid
where i.relnamespace = cast(current_schema() as regnamespace) and not x.indisvalid
order by i.relname;
