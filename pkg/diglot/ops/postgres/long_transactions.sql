-- Transactions in this database that are open for long, or idle for long; the oldest first.
-- Parameters: open_seconds, idle_seconds.
select pid, state, cast(extract(epoch from clock_timestamp() - xact_start) / 60 as bigint), application_name
from pg_catalog.pg_stat_activity
where
    datname = current_database()
    and pid <> pg_backend_pid()
    and (
        xact_start < clock_timestamp() - make_interval(secs => cast(:open_seconds as double precision))
        or (state like 'idle in transaction%' and state_change < clock_timestamp() - make_interval(secs => cast(:idle_seconds as double precision)))
    )
order by xact_start;
