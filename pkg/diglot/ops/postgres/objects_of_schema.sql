-- The objects of a schema that ALTER … SET SCHEMA moves, except those of extensions, and sequences that move with their
-- table. Objects that take types as arguments come before the types: moving a type changes its name in them.
-- Parameter: schema_name.
select
    case o.type when 'composite type' then 'type' when 'statistics object' then 'statistics' else o.type end as kind,
    o.identity
from pg_catalog.pg_depend as d
inner join pg_catalog.pg_namespace as n on d.refclassid = 'pg_catalog.pg_namespace'::regclass and d.refobjid = n.oid
cross join lateral pg_catalog.pg_identify_object(d.classid, d.objid, 0) as o
where
    n.nspname = cast(:schema_name as text)
    and d.classid in (
        'pg_catalog.pg_class'::regclass,
        'pg_catalog.pg_collation'::regclass,
        'pg_catalog.pg_conversion'::regclass,
        'pg_catalog.pg_opclass'::regclass,
        'pg_catalog.pg_operator'::regclass,
        'pg_catalog.pg_opfamily'::regclass,
        'pg_catalog.pg_proc'::regclass,
        'pg_catalog.pg_statistic_ext'::regclass,
        'pg_catalog.pg_ts_config'::regclass,
        'pg_catalog.pg_ts_dict'::regclass,
        'pg_catalog.pg_type'::regclass
    )
    and not exists (
        select
        from pg_catalog.pg_depend as owner
        where
            owner.classid = d.classid and owner.objid = d.objid
            and (owner.deptype = 'e' or o.type = 'sequence' and owner.deptype in ('a', 'i'))
    )
order by d.classid = 'pg_catalog.pg_type'::regclass, d.classid = 'pg_catalog.pg_class'::regclass, o.identity;
