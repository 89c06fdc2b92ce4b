-- Connections to the server, and how many there may be.
select count(*), cast(current_setting('max_connections') as bigint)
from pg_catalog.pg_stat_activity
where backend_type = 'client backend';
