-- How far the oldest transaction id of the database is behind, of rows or of shared locks; at two thousand million the
-- server stops.
select cast(greatest(age(datfrozenxid), mxid_age(datminmxid)) as bigint)
from pg_catalog.pg_database
where datname = current_database();
