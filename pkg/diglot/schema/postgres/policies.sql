-- Policies of row level security. Parameter: schema, an oid.
select
    p.polrelid::bigint,
    p.polname::text,
    p.polcmd::text,
    p.polpermissive,
    array(
        select coalesce(r.rolname::text, 'public')
        from unnest(p.polroles) as k (role)
        left join pg_catalog.pg_roles as r on k.role = r.oid
    ),
    pg_get_expr(p.polqual, p.polrelid),
    pg_get_expr(p.polwithcheck, p.polrelid)
from pg_catalog.pg_policy as p
inner join pg_catalog.pg_class as c on p.polrelid = c.oid
where c.relnamespace = cast(:schema as oid)
order by p.polname;
