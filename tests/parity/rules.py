"""The rules about SQL text: what the two databases understand differently, and how it is found in a query.

Each rule takes a text and gives what offends it. ``RULES`` has for each the texts in which it must find something.
"""

import re

from tests.parity.sql_code import tidy, words

FUNCTIONS = {
    "count": "an integer on both",
    "exists": "true or false, decoded as bool",
    "row_number": "over an order with a unique tail",
    "lower": "of the e-mail that Python has folded, so that its index serves",
    "any": "= any(list), on PostgreSQL only",
    "json_each": "the same list on SQLite only",
    "cast": "of what the lock answers to text, and of a limit, on PostgreSQL only; of documents, to count their bytes",
    "pg_advisory_xact_lock": "on PostgreSQL only",
}
"""Every function that a query may call, and why it means the same on both."""

NULLABLE = {"parent_state_id", "agent_id", "action_id", "tool_id", "usage", "input", "output", "error", "name",
            "last_used", "expires_at"}  # fmt: skip
"""The columns that may be NULL: an order by one of them would need NULLS FIRST or LAST."""

_BEFORE_A_PARENTHESIS = {"in", "and", "or", "not", "values", "conflict", "as", "select", "where", "from", "over", "on",
                         "lateral", "limit", "filter"}  # fmt: skip
_CHOICES = ("case", "coalesce", "nullif", "ifnull", "iif", "greatest", "least", "intersect", "except")
_CLOCKS = ("current_timestamp", "current_date", "current_time", "localtime", "localtimestamp", "interval", "extract")
_ROW_NUMBERS = ("rowid", "oid", "ctid", "nextval", "last_insert_rowid")


def functions(sql):
    code = re.sub(r"\b(insert into|with recursive) \w+ \(", "(", tidy(sql))
    return [f for f in re.findall(r"\b([a-z_]\w*) ?\(", code) if f not in {*FUNCTIONS, *_BEFORE_A_PARENTHESIS}]


def operators(sql):
    code = (
        tidy(sql).replace("count(*)", "").replace("version + 1", "").replace("depth + 1", "").replace("depth % 64", "")
    )
    code = code.replace("+ ( select 0 as grown", "( select 0 as grown")
    return re.findall(r"::|[^\w\s=<>.,():;'\"]", code)


def forbidden(*names):
    return lambda sql: sorted(words(sql) & set(names))


def matching(pattern):
    return lambda sql: [match.group() for match in re.finditer(pattern, tidy(sql))]


def limits(sql):
    numbers = r":limit|:most|:weighed|:keep_last|1|\(select cast\(:limit as bigint\) as wanted\)"
    code = re.sub(rf"\blimit ({numbers})(?=;|$| ?\))", "", tidy(sql))
    return re.findall(r"\blimit .*", code)


def recursion_without_an_end(sql):
    """It ends at a depth, with a union that drops what was found before, or where it would come back to its start."""
    code = tidy(sql)
    ends = ("< :max_depth", "union select", "<> :task_exec_id", "parent.start_id <>")
    return re.findall(r"with recursive", code) if not any(end in code for end in ends) else []


def conditions_on_documents(sql):
    end = r"(?= (?:returning|order by|group by|limit|do update|union)\b| ?[()] ?select\b|$)"
    places = re.findall(rf"\b(?:where|on|having) (.*?){end}", tidy(sql))
    return [name for place in places for name in re.findall(r"\b(?:usage|input|output|error)\b", place)]


def orders(sql):
    """The columns of each ORDER BY."""
    found = re.findall(r"\border by (.*?)(?= limit\b| for\b| ?\) |;|$)", tidy(sql))
    return [[column.strip() for column in order.split(",")] for order in found]


def orders_by_what_is_no_column(sql):
    return [column for order in orders(sql) for column in order if not re.fullmatch(r"[\w.]+( desc| asc)?", column)]


def orders_by_what_may_be_null(sql):
    return [c for order in orders(sql) for c in order if c.split()[0].rpartition(".")[2] in NULLABLE]


RULES = {
    "functions": (
        functions,
        "select substr(a, -3) from t",
        "select coalesce (a, b) from t",
        "select max(a, 1)",
        "select upper(a)",
        "select json_extract(a, '$.b')",
        "select avg(a)",
        "select now()",
    ),
    "operators": (
        operators,
        "select a / 2",
        "select a % 2",
        "select a || b",
        "select a ->> 'b'",
        "select a::text",
        "select :a + :b",
        "select a[1]",
        "select -a",
        "select * from t",
    ),
    "pattern matching": (
        forbidden("like", "ilike", "glob", "similar", "regexp", "match", "collate"),
        "select a from t where a LIKE :b",
        "select a from t where b glob 'x*'",
    ),
    "clocks and dates": (
        forbidden(*_CLOCKS),
        "select current_timestamp as x",
        "select a + interval '1 month'",
    ),
    "identifiers in quotes": (matching(r"[\"`]\S*"), 'select "name" from t', "select `a`"),
    "literals of bytes or bits": (matching(r"\b[xb]''"), "select x'41' as a", "select b'1' as a"),
    "a parameter that is null": (matching(r":\w+ is (not )?null"), "select a from t where :x is null or a = :x"),
    "a list of parameters": (matching(r"in \( ?(:|\))"), "select a from t where a in (:ids)", "where a in ()"),
    "choices of types": (forbidden(*_CHOICES), "select case when a then 1 else 'x' end"),
    "union outside of a recursion": (
        matching(r"^(?!.*with recursive).*\bunion\b"),
        "select 1 union select 'a'",
    ),
    "limits that are no parameter": (limits, "select a from t limit -1", "select a from t limit :limit + 1"),
    "offsets": (forbidden("offset", "fetch"), "select a from t limit :limit offset 3"),
    "limits of a change": (
        matching(r"^(update|delete)\b.*\b(limit|order by)\b"),
        "delete from t where a = :a limit 1",
        "update t set a = 1 order by b",
    ),
    "conflicts without a target": (
        matching(r"on conflict (?!\()"),
        "insert into t (a) values (:a) on conflict do nothing",
    ),
    "replace": (
        matching(r"\b(replace into|insert or)\b"),
        "insert or replace into t (a) values (:a)",
        "replace into t (a) values (1)",
    ),
    "with but no recursive": (matching(r"\bwith (?!recursive\b)"), "with a as (select 1) select b from a"),
    "endless recursion": (
        recursion_without_an_end,
        "with recursive a (b) as (select 1 union all select b from a) select b from a",
    ),
    "long chains of or": (
        matching(r"( or [^()]+?){3}"),
        "select a from t where a = 1 or a = 2 or a = 3 or a = 4",
    ),
    "conditions on documents": (
        conditions_on_documents,
        "select a from t where output = :x order by a",
        "select a from t where b = 1 and t.input is null",
    ),
    "orders by what is no column": (
        orders_by_what_is_no_column,
        "select a from t order by a + 1",
        "select a from t order by (a), b",
    ),
    "orders by what may be null": (orders_by_what_may_be_null, "select a from t order by t.tool_id desc, id"),
    "distinct": (matching(r"\bdistinct\b(?! from)"), "select distinct a from t order by b"),
    "row numbers of the engine": (forbidden(*_ROW_NUMBERS), "select rowid from t"),
}
