-- Bytes of the database, and of the write-ahead log where this user may see it.
select
    pg_database_size(current_database()),
    case
        when pg_has_role('pg_monitor', 'usage') then (select cast(sum(size) as bigint) from pg_ls_waldir())
    end;
