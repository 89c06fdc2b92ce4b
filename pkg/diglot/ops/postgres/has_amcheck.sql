-- Whether amcheck is installed.
select exists (select from pg_catalog.pg_extension where extname = 'amcheck');
