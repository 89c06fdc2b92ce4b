-- Tables of the schema with many dead rows that autovacuum has not removed.
select
    relname::text,
    n_dead_tup,
    n_live_tup
from pg_catalog.pg_stat_user_tables
where schemaname = current_schema() and n_dead_tup > 10000 and n_dead_tup > 0.25 * (n_live_tup + n_dead_tup)
order by n_dead_tup desc
limit 3;
