-- The last number that was assigned in a table with AUTOINCREMENT.
-- Parameters: table_name, column_name (not needed: a table has only one).
select seq
from sqlite_sequence
where name = :table_name and :column_name is not null;
