-- The columns of a table, with their definition. Parameter: table, its name.
select
    x.name,
    x.type,
    x."notnull",
    x.dflt_value,
    x.pk,
    x.hidden
from pragma_table_xinfo(:table) as x
order by x.cid;
