-- Connections to the server, including those of other databases and roles, and the maximum.
select
    cast(sum(numbackends) as bigint),
    cast(current_setting('max_connections') as bigint)
from pg_catalog.pg_stat_database
where datid <> 0;
