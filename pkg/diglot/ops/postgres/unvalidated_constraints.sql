-- Constraints of the schema that old rows may break.
select t.relname::text, c.conname::text
from pg_catalog.pg_constraint as c
join pg_catalog.pg_class as t on t.oid = c.conrelid
where t.relnamespace = cast(current_schema() as regnamespace) and not c.convalidated
order by t.relname, c.conname;
