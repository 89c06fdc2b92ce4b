-- Labels of enum types, in their order.
select
    e.enumtypid::bigint,
    array_agg(e.enumlabel::text order by e.enumsortorder)
from pg_catalog.pg_enum as e
group by e.enumtypid;
