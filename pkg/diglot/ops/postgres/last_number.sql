-- The last number that was assigned in a column; null if none was.
-- Parameters: table_name, column_name.
select
    pg_sequence_last_value(
        cast(pg_get_serial_sequence(quote_ident(cast(:table_name as text)), cast(:column_name as text)) as regclass)
    );
