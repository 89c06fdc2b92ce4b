-- The tables whose rows a row-level security policy filters for the current role.
-- Parameter: names, the tables' names in the current schema.
select cast(t.relname as text)
from pg_catalog.pg_class as t
where
    t.relnamespace = cast(current_schema() as regnamespace)
    and t.relname = any(cast(:names as text[]))
    and row_security_active(t.oid)
order by t.relname;
