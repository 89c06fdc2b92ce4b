-- A row if the table has this column. Parameters: table and column, names; with null for column, any column will do.
select 1
from pragma_table_xinfo(:table) as c
where :column is null or lower(c.name) = lower(:column)
limit 1;
