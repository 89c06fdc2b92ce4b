-- Tables of the schema with many rows that have no statistics for the planner, or that have changed a lot since: whether
-- this role may read the table (it sees no statistics of others), the changes if they are many, whether it was analyzed.
select
    s.relname::text,
    has_table_privilege(s.relid, 'select'),
    case
        when s.n_mod_since_analyze > 1000 + 0.5 * greatest(c.reltuples, 0) and a.analyzed then s.n_mod_since_analyze
    end,
    a.analyzed
from pg_catalog.pg_stat_user_tables as s
inner join pg_catalog.pg_class as c on s.relid = c.oid
cross join
    lateral (
        select
            s.last_analyze is not null
            or s.last_autoanalyze is not null
            or exists (
                select from pg_catalog.pg_stats as p
                where p.schemaname = s.schemaname and p.tablename = s.relname
            )
                as analyzed
    ) as a
where
    s.schemaname = current_schema()
    and c.relkind in ('r', 'm')
    and greatest(s.n_live_tup, c.reltuples, c.relpages * 10) > 100
    and (not a.analyzed or s.n_mod_since_analyze > 1000 + 0.5 * greatest(c.reltuples, 0))
order by s.relname;
