-- Sessions of this database whose state this role may not see.
select count(*)
from pg_catalog.pg_stat_activity
where datname = current_database() and backend_type is null and not pg_has_role(usesysid, 'usage');
