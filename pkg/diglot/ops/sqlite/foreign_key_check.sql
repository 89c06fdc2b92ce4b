-- Rows of a table that refer to missing rows; the rowid is null in a table without one.
-- Parameter: table_name.
select
    rowid,
    parent
from pragma_foreign_key_check(:table_name)
limit 3;
