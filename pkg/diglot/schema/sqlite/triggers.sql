-- Triggers, with the statement that created them.
select
    m.tbl_name,
    m.name,
    m.sql
from sqlite_schema as m
where m.type = 'trigger'
order by m.name;
