-- Bytes of each table and index; this reads the whole file.
select
    name,
    sum(pgsize) as bytes
from dbstat
group by name;
