-- Bytes of the server's write-ahead log.
select cast(sum(size) as bigint)
from pg_ls_waldir();
