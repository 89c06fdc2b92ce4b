-- The schema that the connection works in; null if it has none.
select current_schema()::text;
