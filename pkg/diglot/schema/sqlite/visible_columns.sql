-- Columns of every table and view, virtual tables and what belongs to them too, each with the number of columns of the
-- table's primary key and the statement that created the table.
select
    tables.name,
    columns.name,
    columns.type,
    columns."notnull",
    columns.pk,
    tables.strict or tables.wr,
    tables.type,
    (
        select count(*) from pragma_table_xinfo(tables.name) as keys
        where keys.pk > 0
    ),
    coalesce((
        select made.sql from sqlite_schema as made
        where made.name = tables.name
    ), '')
from pragma_table_list as tables, pragma_table_xinfo(tables.name) as columns
where tables.schema = 'main' and tables.name not like 'sqlite~_%' escape '~'
order by tables.name, columns.cid;
