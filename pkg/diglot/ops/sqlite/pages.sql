-- Pages of the file, those that are free, the size of one, and the mode of auto_vacuum (2: incremental).
select
    p.page_count,
    f.freelist_count,
    s.page_size,
    a.auto_vacuum
from pragma_page_count as p, pragma_freelist_count as f, pragma_page_size as s, pragma_auto_vacuum as a;
