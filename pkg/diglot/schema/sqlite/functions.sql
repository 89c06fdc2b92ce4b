-- Every function that statements can call. SQLite does not say what a function returns.
select
    functions.name,
    functions.type,
    functions.narg,
    functions.builtin
from pragma_function_list as functions
order by functions.name, functions.narg;
