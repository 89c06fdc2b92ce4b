-- Pages of the file, free pages, the page size, and the auto_vacuum mode (2: incremental).
select
    p.page_count,
    f.freelist_count,
    s.page_size,
    a.auto_vacuum
from pragma_page_count as p, pragma_freelist_count as f, pragma_page_size as s, pragma_auto_vacuum as a;
