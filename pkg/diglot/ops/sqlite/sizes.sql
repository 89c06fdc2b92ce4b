-- Bytes of each table and index; it reads the whole file.
select
    name,
    sum(pgsize) as bytes
from dbstat
group by name;
