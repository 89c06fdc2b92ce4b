-- Tables and views, with the statement that created them.
select
    l.name,
    l.type,
    l.wr,
    l.strict,
    m.sql
from pragma_table_list as l
inner join sqlite_schema as m on l.name = m.name and m.type in ('table', 'view')
where l.schema = 'main' and l.type in ('table', 'view', 'virtual')
order by l.name;
