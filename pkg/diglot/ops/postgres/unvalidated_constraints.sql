-- Constraints of the schema that old rows may violate, except those that are not enforced (PostgreSQL 18).
select
    t.relname::text,
    c.conname::text
from pg_catalog.pg_constraint as c
inner join pg_catalog.pg_class as t on c.conrelid = t.oid
where
    t.relnamespace = cast(current_schema() as regnamespace)
    and not c.convalidated
    and coalesce(to_jsonb(c) ->> 'conenforced', 'true') = 'true'
order by t.relname, c.conname;
