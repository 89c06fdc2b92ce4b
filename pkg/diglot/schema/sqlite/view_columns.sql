-- Columns of a view. Parameter: name, of the view.
select
    x.name,
    x.type
from pragma_table_xinfo(:name) as x
order by x.cid;
