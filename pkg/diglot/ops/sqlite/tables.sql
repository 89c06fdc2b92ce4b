-- The statements that create a table and its indexes.
-- Parameter: table_name.
select sql
from sqlite_schema
where lower(tbl_name) = lower(:table_name) and type in ('table', 'index') and sql is not null
order by type desc;
