-- Whether this role may see the write-ahead log.
select has_function_privilege('pg_ls_waldir()', 'execute');
