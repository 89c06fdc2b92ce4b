-- Connections to the server, those of other databases and roles too, and how many there may be.
select
    cast(sum(numbackends) as bigint),
    cast(current_setting('max_connections') as bigint)
from pg_catalog.pg_stat_database
where datid <> 0;
