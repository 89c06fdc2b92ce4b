-- Every function that is found without the name of its schema. The last column: an aggregate that is never null,
-- because it begins with a value, skips nulls, and returns its state as it is ('always'), or one that begins with the
-- first value that is not null ('first').
select
    p.proname::text,
    p.prokind::text,
    p.pronargs - p.pronargdefaults,
    case when p.provariadic <> 0 then 1000 else p.pronargs end,
    p.proisstrict,
    p.proretset,
    p.pronamespace = 'pg_catalog'::regnamespace,
    t.typname::text,
    t.typtype::text,
    case
        when agg.aggfnoid is null or agg.aggfinalfn::oid <> 0 or not step.proisstrict then ''
        when agg.agginitval is not null then 'always'
        else 'first'
    end
from pg_catalog.pg_proc as p
inner join pg_catalog.pg_type as t on p.prorettype = t.oid
left join pg_catalog.pg_aggregate as agg on p.oid = agg.aggfnoid
left join pg_catalog.pg_proc as step on agg.aggtransfn = step.oid
where pg_catalog.pg_function_is_visible(p.oid) and p.prokind in ('f', 'a', 'w')
order by p.proname, p.oid;
