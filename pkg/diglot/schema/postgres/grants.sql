-- Privileges on tables, views and their columns, without those of the owner. Parameter: schema, an oid.
select
    c.oid::bigint,
    ''::text,
    coalesce(r.rolname::text, 'public'),
    lower(g.privilege_type),
    g.is_grantable
from pg_catalog.pg_class as c
cross join lateral aclexplode(c.relacl) as g
left join pg_catalog.pg_roles as r on g.grantee = r.oid
where c.relnamespace = cast(:schema as oid) and g.grantee <> c.relowner
union all
select
    c.oid::bigint,
    a.attname::text,
    coalesce(r.rolname::text, 'public'),
    lower(g.privilege_type),
    g.is_grantable
from pg_catalog.pg_class as c
inner join pg_catalog.pg_attribute as a on c.oid = a.attrelid and not a.attisdropped
cross join lateral aclexplode(a.attacl) as g
left join pg_catalog.pg_roles as r on g.grantee = r.oid
where c.relnamespace = cast(:schema as oid) and g.grantee <> c.relowner
order by 1, 2, 3, 4;
