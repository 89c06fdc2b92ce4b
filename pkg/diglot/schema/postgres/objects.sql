-- Everything in the schemas that are not PostgreSQL's own, by name, with its definition.
with mine as (
    select
        n.oid,
        n.nspname
    from pg_namespace as n
    where n.nspname <> 'information_schema' and n.nspname not like 'pg\_%'
),

relations as (
    select
        c.oid,
        c.relkind,
        c.reloptions,
        m.nspname,
        case m.nspname when 'public' then '' else m.nspname || '.' end
        || c.relname as name
    from pg_class as c
    inner join mine as m on c.relnamespace = m.oid
)

select
    'schema ' || nspname,
    ''
from mine
where nspname <> 'public'
union all
select
    case r.relkind
        when 'S' then 'sequence ' when 'v' then 'view ' when 'm' then 'view ' when 'i' then 'index '
        when 'I' then 'index ' else 'table '
    end || r.name,
    case
        when r.relkind in ('v', 'm') then pg_get_viewdef(r.oid)
        when r.relkind in ('i', 'I') then pg_get_indexdef(r.oid)
        else array_to_string(r.reloptions, ',')
    end
from relations as r
union all
select
    'column ' || r.name || '.' || a.attname,
    concat_ws(
        ' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
        (
            select c.collname from pg_collation as c
            where c.oid = a.attcollation
        ),
        pg_get_expr(d.adbin, d.adrelid)
    )
from relations as r
inner join pg_attribute as a on r.oid = a.attrelid and a.attnum > 0 and not a.attisdropped
left join pg_attrdef as d on r.oid = d.adrelid and a.attnum = d.adnum
where r.relkind not in ('i', 'I', 'S')
union all
select
    'constraint ' || r.name || '.' || c.conname,
    pg_get_constraintdef(c.oid) || c.convalidated::text
from relations as r
inner join pg_constraint as c on r.oid = c.conrelid
union all
select
    'trigger ' || r.name || '.' || t.tgname,
    pg_get_triggerdef(t.oid) || t.tgenabled::text
from relations as r
inner join pg_trigger as t on r.oid = t.tgrelid and not t.tgisinternal
union all
select
    'policy ' || r.name || '.' || p.polname,
    concat_ws(' ', p.polcmd, pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
from relations as r
inner join pg_policy as p on r.oid = p.polrelid
union all
select
    'function ' || m.nspname || '.' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
    case p.prokind when 'a' then '' else pg_get_functiondef(p.oid) end
from pg_proc as p
inner join mine as m on p.pronamespace = m.oid
where
    not exists (
        select 1 from pg_depend as d
        where d.objid = p.oid and d.deptype = 'e'
    )
union all
select
    'type ' || t.typname,
    concat_ws(
        ' ',
        (
            select string_agg(e.enumlabel, ',' order by e.enumsortorder) from pg_enum as e
            where e.enumtypid = t.oid
        ),
        (
            select string_agg(pg_get_constraintdef(c.oid), ',') from pg_constraint as c
            where c.contypid = t.oid
        )
    )
from pg_type as t
inner join mine as m on t.typnamespace = m.oid
where
    t.typtype in ('e', 'd', 'r') and not exists (
        select 1 from pg_depend as d
        where d.objid = t.oid and d.deptype = 'e'
    )
union all
select
    'extension ' || extname,
    ''
from pg_extension;
