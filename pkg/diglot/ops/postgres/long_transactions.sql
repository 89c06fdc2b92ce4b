-- Transactions in this database that are open for long, idle for long, or prepared for long; the oldest first.
-- Parameters: open_seconds, idle_seconds.
select
    'process '
    || pid
    || ' ('
    || coalesce(nullif(application_name, ''), 'unnamed')
    || ', '
    || coalesce(state, 'hidden')
    || ')',
    cast(extract(epoch from clock_timestamp() - xact_start) / 60 as bigint),
    'select pg_terminate_backend(' || pid || ')',
    xact_start as began
from pg_catalog.pg_stat_activity
where
    datname = current_database()
    and pid <> pg_backend_pid()
    and (
        xact_start < clock_timestamp() - make_interval(secs => cast(:open_seconds as double precision))
        or (
            state like 'idle in transaction%'
            and state_change < clock_timestamp() - make_interval(secs => cast(:idle_seconds as double precision))
        )
    )
union all
select
    'prepared transaction ' || gid,
    cast(extract(epoch from clock_timestamp() - prepared) / 60 as bigint),
    'rollback prepared ' || quote_literal(gid),
    prepared
from pg_catalog.pg_prepared_xacts
where
    database = current_database()
    and prepared < clock_timestamp() - make_interval(secs => cast(:idle_seconds as double precision))
order by began;
