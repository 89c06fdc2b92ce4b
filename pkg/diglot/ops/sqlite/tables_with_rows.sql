-- The tables that hold rows themselves: neither virtual tables nor SQLite's own.
select name
from sqlite_schema
where type = 'table' and rootpage > 0 and name not like 'sqlite@_%' escape '@'
order by name;
