-- Disabled triggers of the schema, and the foreign key that they belong to.
select distinct
    t.relname::text,
    case when g.tgisinternal then '' else g.tgname::text end,
    k.conname::text
from pg_catalog.pg_trigger as g
inner join pg_catalog.pg_class as t on g.tgrelid = t.oid
left join pg_catalog.pg_constraint as k on g.tgconstraint = k.oid and k.contype = 'f'
where t.relnamespace = cast(current_schema() as regnamespace) and g.tgenabled = 'D'
order by 1, 2, 3;
