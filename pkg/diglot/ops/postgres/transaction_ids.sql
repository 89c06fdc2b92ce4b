-- How far the oldest transaction id of the database is behind; at two thousand million the server stops.
select cast(age(datfrozenxid) as bigint)
from pg_catalog.pg_database
where datname = current_database();
