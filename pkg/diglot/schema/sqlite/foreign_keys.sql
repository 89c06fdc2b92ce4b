-- Foreign keys, a row for each column.
select
    m.name,
    f.id,
    f."table",
    f."from",
    f."to",
    f.on_update,
    f.on_delete,
    f.seq
from sqlite_schema as m
inner join pragma_foreign_key_list(m.name) as f
where m.type = 'table' and m.rootpage <> 0
order by m.name, f.id, f.seq;
