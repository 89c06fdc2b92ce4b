-- The tables that hold their rows themselves: neither virtual ones nor those of SQLite.
select name
from sqlite_schema
where type = 'table' and rootpage > 0 and name not like 'sqlite@_%' escape '@'
order by name;
