-- The schema that the connection works in; null where it has none.
select current_schema()::text;
