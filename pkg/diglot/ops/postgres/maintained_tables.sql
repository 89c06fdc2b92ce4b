-- The tables of the schema for VACUUM and ANALYZE; partitions are processed with the table that they belong to.
select c.relname::text
from pg_catalog.pg_class as c
where
    c.relnamespace = cast(current_schema() as regnamespace)
    and c.relkind in ('r', 'p', 'm')
    and not c.relispartition
    and c.relpersistence <> 't'
order by c.relname;
