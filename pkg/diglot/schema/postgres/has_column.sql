-- A row if the table has this column. Parameters: table and column, names; with null for column, any column will do.
select 1
from information_schema.columns as c
where
    c.table_schema = current_schema()
    and c.table_name = cast(:table as text)
    and (cast(:column as text) is null or c.column_name = cast(:column as text))
limit 1;
