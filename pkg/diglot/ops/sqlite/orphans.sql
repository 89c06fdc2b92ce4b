-- Rows of a table whose foreign keys refer to missing rows.
-- Parameter: table_name.
select
    "rowid",
    "parent"
from pragma_foreign_key_check(:table_name);
