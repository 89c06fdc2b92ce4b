-- Tables of the schema with rows that were never analyzed.
select relname::text
from pg_catalog.pg_stat_user_tables
where schemaname = current_schema() and n_live_tup > 100 and last_analyze is null and last_autoanalyze is null
order by relname;
