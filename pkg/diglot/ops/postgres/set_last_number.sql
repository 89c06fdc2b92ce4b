-- Sets the sequence of a column: its next number follows the last one that was assigned.
-- Parameters: table_name, column_name, last.
select
    setval(
        pg_get_serial_sequence(quote_ident(cast(:table_name as text)), cast(:column_name as text)),
        cast(:last as bigint)
    );
