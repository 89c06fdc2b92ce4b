-- Bytes and uses of each index of the schema.
select
    indexrelname::text,
    pg_relation_size(indexrelid),
    idx_scan
from pg_catalog.pg_stat_user_indexes
where schemaname = current_schema()
order by indexrelname;
