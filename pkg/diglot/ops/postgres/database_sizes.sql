-- Bytes of the database, and the time since which the uses of its indexes are counted.
select
    pg_database_size(current_database()),
    (
        select stats_reset from pg_catalog.pg_stat_database
        where datname = current_database()
    );
