-- The tables that have a foreign key.
select distinct s.name
from sqlite_schema as s, pragma_foreign_key_list(s.name)
where s.type = 'table'
order by s.name;
