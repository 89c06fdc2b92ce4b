-- Triggers.
select
    m.tbl_name,
    m.name
from sqlite_schema as m
where m.type = 'trigger'
order by m.name;
