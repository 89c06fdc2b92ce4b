-- How far the oldest transaction id of the database, for rows or for shared locks, is behind; at two billion the server
-- stops.
select cast(greatest(age(datfrozenxid), mxid_age(datminmxid)) as bigint)
from pg_catalog.pg_database
where datname = current_database();
