-- The tables of the schema that VACUUM and ANALYZE are for; partitions are done with the table that they are of.
select c.relname::text
from pg_catalog.pg_class as c
where
    c.relnamespace = cast(current_schema() as regnamespace)
    and c.relkind in ('r', 'p', 'm')
    and not c.relispartition
    and c.relpersistence <> 't'
order by c.relname;
