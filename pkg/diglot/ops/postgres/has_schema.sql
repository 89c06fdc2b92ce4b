-- Whether there is a schema with this name.
-- Parameter: schema_name.
select exists(
    select from pg_catalog.pg_namespace as n
    where n.nspname = cast(:schema_name as text)
);
