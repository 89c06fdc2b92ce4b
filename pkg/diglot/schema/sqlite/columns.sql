-- Columns of the tables. hidden: 2 is generated, 3 is generated and stored.
select
    m.name,
    x.name,
    x.type,
    x."notnull",
    x.dflt_value,
    x.pk,
    x.hidden
from sqlite_schema as m
inner join pragma_table_xinfo(m.name) as x
where m.type = 'table' and m.rootpage <> 0
order by m.name, x.cid;
