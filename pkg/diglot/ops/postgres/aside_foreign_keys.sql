-- The statement that drops each foreign key of some tables, and the statement that creates it again as it was.
-- Parameter: names, the tables' names in the current schema.
select
    format('alter table %I drop constraint %I', t.relname, c.conname),
    format('alter table %I add constraint %I %s', t.relname, c.conname, pg_get_constraintdef(c.oid))
from pg_catalog.pg_constraint as c
inner join pg_catalog.pg_class as t on c.conrelid = t.oid
where
    t.relnamespace = cast(current_schema() as regnamespace)
    and t.relname = any(cast(:names as text[]))
    and c.contype = 'f'
    and c.conparentid = 0
order by t.relname, c.conname;
