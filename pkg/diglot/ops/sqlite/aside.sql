-- The indexes of a table that were created by a statement of their own, and its triggers, with their statements.
-- Parameters: table_name.
select
    type,
    name,
    sql
from sqlite_schema
where lower(tbl_name) = lower(:table_name) and type in ('index', 'trigger') and sql is not null
order by type, name;
