-- Bytes, dead rows and the last maintenance of each table of the schema (a partitioned table with its partitions), and
-- whether this role may read it.
select
    c.relname::text,
    coalesce(parts.bytes, pg_table_size(c.oid)),
    coalesce(parts.dead, s.n_dead_tup),
    greatest(s.last_vacuum, s.last_autovacuum, parts.vacuumed),
    greatest(s.last_analyze, s.last_autoanalyze),
    has_table_privilege(c.oid, 'select')
from pg_catalog.pg_class as c
left join pg_catalog.pg_stat_user_tables as s on c.oid = s.relid
cross join
    lateral (
        select
            cast(sum(pg_table_size(p.relid)) as bigint) as bytes,
            cast(sum(ps.n_dead_tup) as bigint) as dead,
            min(greatest(ps.last_vacuum, ps.last_autovacuum)) as vacuumed
        from pg_partition_tree(c.oid) as p
        left join pg_catalog.pg_stat_user_tables as ps on p.relid = ps.relid
        where c.relkind = 'p' and p.isleaf
    ) as parts
where c.relnamespace = cast(current_schema() as regnamespace) and c.relkind in ('r', 'p', 'm') and not c.relispartition
order by c.relname;
