-- Bytes and uses of each index of the schema; an index of a partitioned table includes those of its partitions.
select
    i.relname::text,
    coalesce(parts.bytes, pg_relation_size(i.oid)),
    coalesce(parts.scans, s.idx_scan)
from pg_catalog.pg_class as i
left join pg_catalog.pg_stat_user_indexes as s on i.oid = s.indexrelid
cross join
    lateral (
        select
            cast(sum(pg_relation_size(p.relid)) as bigint) as bytes,
            cast(sum(ps.idx_scan) as bigint) as scans
        from pg_partition_tree(i.oid) as p
        left join pg_catalog.pg_stat_user_indexes as ps on p.relid = ps.indexrelid
        where i.relkind = 'I' and p.isleaf
    ) as parts
where i.relnamespace = cast(current_schema() as regnamespace) and i.relkind in ('i', 'I') and not i.relispartition
order by i.relname;
