-- A free name for the schema that keeps the old objects when a backup is restored.
-- Parameter: schema_name.
select
    left(cast(:schema_name as text), 30)
    || '_replaced_'
    || to_char(clock_timestamp() at time zone 'UTC', 'YYYYMMDD"t"HH24MISSUS');
