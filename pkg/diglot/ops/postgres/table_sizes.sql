-- Bytes, dead rows and the last maintenance of each table of the schema.
select
    relname::text,
    pg_table_size(relid),
    n_dead_tup,
    greatest(last_vacuum, last_autovacuum),
    greatest(last_analyze, last_autoanalyze)
from pg_catalog.pg_stat_user_tables
where schemaname = current_schema()
order by relname;
