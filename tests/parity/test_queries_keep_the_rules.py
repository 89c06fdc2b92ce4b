"""No query uses what the two databases understand differently: each rule is checked on every query of both trees."""

import re

import pytest

from diglot.sql.session import DIALECTS
from diglot.statestore.database import packaged_queries
from tests.parity.rules import RULES, orders
from tests.parity.sql_code import queries, tidy, words

SIZES = ["tasks.size_tasks", "tasks.size_of_executions", "workflows.size_workflows"]
"""They count the bytes of documents as a database keeps them, to end a page in time: nobody sees a figure."""

WEIGHTS = ["tasks.newest_tasks", "workflows.prunable_workflows"]
"""They count them too, to end a step of a pruning in time."""

OF_SIZES = ("functions", "operators", "choices of types")
"""The rules that these leave: a size needs octet_length, coalesce, sum and +, of what is never null nor negative."""

EXAMPLES = [(name, sql) for name, (_, *examples) in RULES.items() for sql in examples]


@pytest.mark.parity(3, 4, 5, 10, 12, 16, 24, 25, 26, 33, 34, 35, 36, 42, 44, 47, 50, 59, 60, 61, 66, 68, 69, 70, 72)
@pytest.mark.parity(80, 81, 82, 86, 88)
@pytest.mark.parametrize("rule", RULES)
def test_no_query_uses_what_the_databases_understand_differently(rule):
    held = [(dialect, q) for dialect, q in queries() if rule not in OF_SIZES or q.full_name not in SIZES + WEIGHTS]
    found = {f"{dialect} {q.full_name}": RULES[rule][0](q.sql) for dialect, q in held}
    assert {name: offences for name, offences in found.items() if offences} == {}


@pytest.mark.parametrize(("rule", "sql"), EXAMPLES, ids=[sql for _, sql in EXAMPLES])
def test_a_rule_finds_what_offends_it(rule, sql):
    assert RULES[rule][0](sql)


def test_what_is_in_strings_and_comments_offends_no_rule():
    sql = "select a /* like 'x' || coalesce(a) */ from t where a = 'b || \"c\" like' -- order by rowid offset\n"
    assert [name for name, (rule, *_) in RULES.items() if rule(sql)] == []


@pytest.mark.parity(1, 2)
def test_lower_is_used_for_the_index_on_the_folded_email_only():
    using = {(dialect, q.full_name) for dialect, q in queries() if "lower" in words(q.sql)}
    assert using == {(dialect, "users.get_user_by_email") for dialect in DIALECTS}


@pytest.mark.parity(26, 36)
@pytest.mark.parametrize(
    ("word", "dialect", "using"),
    [
        ("cast", "sqlite", [*SIZES[:2], WEIGHTS[0], SIZES[2], WEIGHTS[1]]),
        (
            "cast",
            "postgres",
            [
                *("tasks.list_tasks", *SIZES[:2], "tasks.summarize_tasks", "tasks.tasks_before_parents"),
                "users.lock_bootstrap",
                *("workflows.list_workflows", SIZES[2], "workflows.summarize_workflows"),
            ],
        ),
        ("pg_advisory_xact_lock", "sqlite", []),
        ("pg_advisory_xact_lock", "postgres", ["users.lock_bootstrap"]),
        ("any", "sqlite", []),
        ("json_each", "postgres", []),
    ],
)
def test_what_one_database_alone_has_stands_in_its_own_tree(word, dialect, using):
    assert [q.full_name for d, q in queries() if d == dialect and word in words(q.sql)] == using


# --- orders and limits ---

UNIQUE_ORDERS = {
    # The answer has one row for each of these, so the order needs no more.
    "tasks.latest_tasks": "the newest state of each task_id",
    "tasks.root_statuses": "the newest state of each task_id",
    "tasks.child_outputs": "the newest state of each task_id",
    "tasks.latest_tasks_of": "the newest state of each task_id of each execution",
    "tasks.progress": "one row a status",
}


def unique_tail(order):
    return order[-1].split()[0].rpartition(".")[2] in ("id", "workflow_exec_id", "task_exec_id")


@pytest.mark.parity(67)
def test_every_order_ends_with_a_unique_column():
    for dialect, q in queries():
        found = orders(q.sql)
        if q.full_name in UNIQUE_ORDERS:
            found = found[:-1]  # the order of the answer; those of windows inside of it need a tail, too
        assert all(unique_tail(order) for order in found), (dialect, q.full_name)
    assert not unique_tail(orders("select a from t order by created_at desc limit 1")[0])


@pytest.mark.parity(67)
def test_every_list_has_an_order_or_says_that_it_has_none():
    without = {q.full_name: q.doc for _, q in queries() if q.suffix == "" and not orders(q.sql)}
    assert sorted(without) == [
        "tasks.ancestors",
        "tasks.deep_tasks",
        "tasks.get_tasks",
        "workflows.prune_workflows",
    ]
    assert all("in no particular order" in doc for doc in without.values())


@pytest.mark.parity(67, 68)
def test_every_list_that_can_grow_without_end_has_a_limit():
    endless = {q.full_name for _, q in queries() if q.suffix == "" and "limit" not in words(q.sql)}
    # Lists inside of one execution or one batch of ids, the admins, and the tree, whose depth is limited.
    assert endless == {
        *UNIQUE_ORDERS,
        "tasks.get_tasks",
        "tasks.tree",
        "tasks.ancestors",
        "tasks.deep_tasks",
        "users.lock_admins",
        "workflows.prune_workflows",
    }


# --- the two trees beside each other ---


def list_of(dialect, name):
    """How a list parameter is written in a dialect."""
    if dialect == "postgres":
        return f"= any(:{name})"
    return f"in (select wanted.value from json_each(:{name}) as wanted)"


def joined_list(name):
    """How it is written on SQLite where each of its values has to be looked up, whatever the planner believes."""
    return f"from json_each(:{name}) as wanted cross join"


@pytest.mark.parity(32, 70)
def test_both_trees_declare_the_same_queries_in_the_same_order():
    def declared(dialect):
        return [
            (q.full_name, q.suffix, q.parameters, q.returns, q.returns_nullable, q.doc, q.idempotent is not None)
            for d, q in queries()
            if d == dialect
        ]

    assert declared("postgres") == declared("sqlite")


@pytest.mark.parity(36)
def test_a_list_parameter_is_written_in_one_way_a_dialect():
    for dialect, q in queries():
        for parameter in q.parameters:
            ways = [list_of(dialect, parameter.name), *([joined_list(parameter.name)] if dialect == "sqlite" else [])]
            assert not parameter.is_list or any(way in tidy(q.sql) for way in ways), q.full_name


@pytest.mark.parity(36, 79)
def test_where_the_text_differs_both_say_why():
    for postgres in packaged_queries("postgres"):
        sqlite = packaged_queries("sqlite").query(postgres.source.full_name)
        text = tidy(postgres.source.sql)
        for parameter in postgres.source.parameters:
            text = text.replace(list_of("postgres", parameter.name), list_of("sqlite", parameter.name))
        same = text == tidy(sqlite.source.sql)
        reasons = [postgres.source.differs is not None, sqlite.source.differs is not None]
        assert reasons == [not same] * 2, postgres.source.full_name


@pytest.mark.parity(79)
def test_row_locks_are_taken_on_postgres_and_by_the_transaction_on_sqlite():
    locking = [(dialect, q.full_name) for dialect, q in queries() if re.search(r"\bfor update\b", tidy(q.sql))]
    assert sorted(locking) == [
        ("postgres", "tasks.lock_task"),
        ("postgres", "users.lock_admins"),
        ("postgres", "workflows.lock_workflow"),
    ]
