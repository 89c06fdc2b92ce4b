-- Everything in the database, by name, with the statement that created it.
select
    m.type,
    m.name,
    m.tbl_name,
    m.sql
from sqlite_schema as m;
