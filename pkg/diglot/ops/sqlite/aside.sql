-- The indexes that have a statement of their own and the triggers of a table, with what makes them again.
-- Parameters: table_name.
select
    type,
    name,
    sql
from sqlite_schema
where lower(tbl_name) = lower(:table_name) and type in ('index', 'trigger') and sql is not null
order by type, name;
