-- The schema that amcheck is installed in, and whether this role may use it; no row if it is not installed.
select
    n.nspname::text,
    bool_and(has_function_privilege(p.oid, 'execute') and has_schema_privilege(n.oid, 'usage'))
from pg_catalog.pg_extension as e
inner join pg_catalog.pg_namespace as n on e.extnamespace = n.oid
inner join pg_catalog.pg_depend as d on e.oid = d.refobjid and d.refclassid = 'pg_catalog.pg_extension'::regclass
inner join pg_catalog.pg_proc as p on d.objid = p.oid and d.classid = 'pg_catalog.pg_proc'::regclass
where e.extname = 'amcheck'
group by n.nspname;
