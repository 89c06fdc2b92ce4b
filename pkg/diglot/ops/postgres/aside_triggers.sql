-- The statement that disables each trigger of some tables that would fire, and the statement that enables it again.
-- Parameter: names, the tables' names in the current schema.
select
    format('alter table %I disable trigger %I', t.relname, g.tgname),
    format(
        'alter table %I enable %s trigger %I',
        t.relname,
        case when g.tgenabled = 'A' then 'always' else '' end,
        g.tgname
    )
from pg_catalog.pg_trigger as g
inner join pg_catalog.pg_class as t on g.tgrelid = t.oid
where
    t.relnamespace = cast(current_schema() as regnamespace)
    and t.relname = any(cast(:names as text[]))
    and not g.tgisinternal
    and g.tgenabled in ('O', 'A')
order by t.relname, g.tgname;
