-- The name by which another connection can read this transaction's snapshot, and the connection's schema.
select
    pg_export_snapshot(),
    current_schema()::text;
