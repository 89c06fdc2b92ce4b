-- The statement that created each view.
select
    views.name,
    views.sql
from sqlite_schema as views
where views.type = 'view'
order by views.name;
