-- Makes the schema the only one on the search path, for this transaction, so that types and expressions in it are
-- written without its name. Parameter: schema, a name.
select set_config('search_path', quote_ident(cast(:schema as text)), true);
