-- Bytes of the write-ahead log of the server.
select cast(sum(size) as bigint)
from pg_ls_waldir();
