-- Indexes. origin: c is create index, u is a unique constraint, pk is a primary key.
select
    m.name,
    i.name,
    i."unique",
    i.origin,
    s.sql
from sqlite_schema as m
inner join pragma_index_list(m.name) as i
left join sqlite_schema as s on s.type = 'index' and i.name = s.name
where m.type = 'table' and m.rootpage <> 0
order by m.name, i.seq;
