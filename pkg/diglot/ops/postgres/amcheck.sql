-- Checks the B-trees of the schema, and that each has all rows of its table; how many. It fails at the first that is damaged.
select count(bt_index_check(x.indexrelid, true))
from pg_catalog.pg_index as x
join pg_catalog.pg_class as i on i.oid = x.indexrelid
join pg_catalog.pg_am as a on a.oid = i.relam
where i.relnamespace = cast(current_schema() as regnamespace) and a.amname = 'btree' and i.relkind = 'i' and x.indisvalid;
