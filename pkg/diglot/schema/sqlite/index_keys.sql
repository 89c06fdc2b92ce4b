-- Keys of indexes, in their order. cid: -1 is the rowid, -2 is an expression.
select
    m.name,
    x.name,
    x."desc",
    x.coll,
    x.cid
from sqlite_schema as m
inner join pragma_index_xinfo(m.name) as x
where m.type = 'index' and x.key = 1
order by m.name, x.seqno;
