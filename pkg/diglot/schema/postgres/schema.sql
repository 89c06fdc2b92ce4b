-- The schema of this name, by default the first one of the search path. Parameter: schema, a name or null.
select
    n.oid::bigint,
    n.nspname::text
from pg_catalog.pg_namespace as n
where n.nspname = coalesce(cast(:schema as text), current_schema()::text);
