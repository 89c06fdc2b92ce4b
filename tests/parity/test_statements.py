"""Statements: what is counted, refused, rolled back and paged is the same on both databases."""

import threading

import pytest

from diglot.errors import (
    CheckViolation,
    DatabaseError,
    DatabaseReadOnly,
    ForeignKeyViolation,
    InvalidValue,
    QueryFileError,
    StatementTimeout,
    TransactionError,
    UniqueViolation,
)
from diglot.statestore.database import Database
from diglot.statestore.errors import ConcurrentUpdate, EmailExists, UnknownReference, UserNotFound
from diglot.statestore.models import UsageEntry, WorkflowState
from tests.parity.adhoc import count, query, rows, scratch, script, value
from tests.parity.conftest import AT

# --- refused alike ---


@pytest.mark.parity(68)
def test_a_limit_that_is_no_number_from_1_to_1000_is_refused(still, execution):
    still.tasks.upsert(execution("t1"))
    user = still.users.create("a@x.org")
    lists = [still.users.list, still.workflows.list, still.tasks.list]
    lists += [lambda **page: still.api_keys.list(user.id, **page), lambda **page: still.tasks.children("t1", **page)]
    for listing in lists:
        for limit in (0, -1, 1001, None, True, "5", 2.0, 2**63):
            with pytest.raises(InvalidValue, match=r"^limit: "):
                listing(limit=limit)
        assert listing(limit=1000).next is None


@pytest.mark.parity(74)
def test_two_conflicts_at_once_are_one_error(db):
    twice = Database(db.store, db.queries, clock=lambda: AT, new_id=lambda: "same")
    user = twice.users.create("a@x.org")
    for email in ("a@x.org", "b@x.org"):  # the id and the address, and the id alone
        with pytest.raises(EmailExists):
            twice.users.create(email)
    key = db.queries.api_keys
    made = {"id": "k", "user_id": user.id, "name": None, "now": AT, "expires_at": None}
    key.create_api_key(db.store, hash=bytes(32), prefix="dgl_00000000", **made)
    with pytest.raises(UniqueViolation):
        key.create_api_key(db.store, hash=bytes(32), prefix="dgl_00000000", **made)


@pytest.mark.parity(75, 76)
def test_a_reference_to_nothing_is_refused_alike(still, execution):
    with pytest.raises(UnknownReference):
        still.tasks.upsert(execution("t1", parent_state_id="nobody"))
    with pytest.raises(UnknownReference):
        still.tasks.upsert_many([execution("t1"), execution("t2").replace(workflow_exec_id="nothing")])
    with pytest.raises(UserNotFound):
        still.api_keys.issue("nobody")
    assert still.tasks.list().items == []


ORPHAN = "insert into api_keys (id, user_id, hash, prefix) values ('k', 'nobody', :hash, 'dgl_00000000')"


@pytest.mark.parity(76)
def test_references_are_checked_on_every_connection_inside_and_outside_of_a_transaction(db):
    def refused(session):
        with pytest.raises(ForeignKeyViolation):
            count(session, ORPHAN, hash=bytes(32))

    refused(db.store)
    with pytest.raises(DatabaseError), db.store.transaction() as tx:
        refused(tx)
    with pytest.raises(ForeignKeyViolation), db.store.transaction() as tx, tx.transaction() as inner:
        count(inner, ORPHAN, hash=bytes(32))
    refused(db.store)
    in_threads = [threading.Thread(target=refused, args=[db.store]) for _ in range(3)]
    for thread in in_threads:
        thread.start()
    for thread in in_threads:
        thread.join()
    assert value(db.store, "select count(*) as n from api_keys", "int") == 0


@pytest.mark.parity(85)
def test_two_statements_in_one_query_are_refused_before_they_are_sent(db):
    with pytest.raises(QueryFileError, match="has a second statement after this ';'"):
        count(db.store, "delete from users; delete from api_keys")


@pytest.mark.parity(31)
def test_a_comparison_with_a_boolean_is_written_out(db):
    scratch(db.store, done="bool", n="int")
    query(db.store, "insert into scratch values (:done, :n)", "*!", done=True, n=1)(
        db.store, [{"done": done, "n": n} for n, done in enumerate((True, False, True))]
    )
    assert rows(db.store, "select n from scratch where done = :done order by n", "int", done=True) == [0, 2]
    with pytest.raises(InvalidValue):
        rows(db.store, "select n from scratch where done = :done order by n", "int", types={"done": "bool"}, done=1)


# --- written alike ---


@pytest.mark.parity(71)
def test_of_two_states_with_one_id_in_a_batch_the_last_counts(still, execution):
    states = [execution("t1", status="RUNNING"), execution("t2"), execution("t1", status="FAILED")]
    assert still.tasks.upsert_many(states) == 2
    assert (still.tasks.get("t1").status, still.tasks.get("t1").version) == ("FAILED", 1)


@pytest.mark.parity(72)
def test_an_upsert_of_a_parent_keeps_its_children(still, execution):
    still.tasks.upsert_many([execution("p"), execution("c", parent_state_id="p")])
    user = still.users.create("a@x.org")
    key = still.api_keys.issue(user.id)
    still.tasks.upsert(execution("p", status="SUCCESS"))
    still.workflows.upsert(WorkflowState("w1", "w", "SUCCESS"))
    still.users.update(user.id, email="b@x.org")
    assert [node.task.task_exec_id for node in still.tasks.tree("p").nodes] == ["p", "c"]
    assert still.api_keys.get(key.api_key.id) == key.api_key


@pytest.mark.parity(73)
def test_what_a_change_answers_is_what_it_changed(still, execution):
    still.tasks.upsert_many([execution("t1"), execution("t2")])
    change = "update task_states set status = 'FAILED' where status = 'PENDING' {}returning task_exec_id as id"
    assert sorted(rows(still.store, change.format(""), "text")) == ["t1", "t2"]
    assert rows(still.store, change.format(""), "text") == []
    assert count(still.store, "update task_states set status = 'PENDING'") == 2
    assert count(still.store, "update task_states set status = 'PENDING' where status = 'RUNNING'") == 0


@pytest.mark.parity(72, 96)
def test_the_same_write_again_leaves_one_row(still, execution):
    for _ in range(2):
        still.workflows.upsert(WorkflowState("w1", "w", "SUCCESS"))
        still.tasks.upsert_many([execution("t1"), execution("t2")])
    assert [task.task_exec_id for task in still.tasks.list().items] == ["t1", "t2"]
    with pytest.raises(ConcurrentUpdate):
        still.workflows.save(WorkflowState("w1", "w", "FAILED"))
    assert still.workflows.get("w1").status == "SUCCESS"


@pytest.mark.parity(83)
def test_a_batch_has_more_values_than_one_statement_may(still, execution):
    states = [execution(f"t{i:05}") for i in range(4_500)]
    assert len(states) * 16 > 65_535  # PostgreSQL's limit
    assert still.tasks.upsert_many(states) == 4_500
    assert value(still.store, "select count(*) as n from task_states", "int") == 4_500
    wanted = [state.task_exec_id for state in states[::5]][:1000]
    assert [task.task_exec_id for task in still.tasks.get_many(wanted)] == wanted


@pytest.mark.parity(36, 82, 83)
def test_a_list_of_any_length_is_one_parameter(still):
    still.workflows.upsert(WorkflowState("w1", "w", "RUNNING"))
    assert still.workflows.list(ids=[]).items == []
    assert still.tasks.get_many([]) == []
    found = still.workflows.list(ids=[f"w{i}" for i in range(100_000)]).items
    assert [state.workflow_exec_id for state in found] == ["w1"]


@pytest.mark.parity(98)
def test_several_are_found_in_the_order_asked(still, execution):
    still.tasks.upsert_many([execution(i) for i in "abc"])
    for order in ("abc", "cab", "bbac"):
        assert [task.task_exec_id for task in still.tasks.get_many(order)] == list(order)


# --- read alike ---


@pytest.mark.parity(66)
def test_null_sorts_where_the_query_says(db):
    scratch(db.store, n="int")
    insert = query(db.store, "insert into scratch values (:n)", "*!", types={"n": "int?"})
    insert(db.store, [{"n": n} for n in (2, None, 1)])
    for order, wanted in {
        "n nulls last": [1, 2, None],
        "n nulls first": [None, 1, 2],
        "n desc nulls last": [2, 1, None],
        "n desc nulls first": [None, 2, 1],
    }.items():
        assert rows(db.store, f"select n from scratch order by {order}", "int?") == wanted


@pytest.mark.parity(80)
def test_a_ring_of_parents_made_by_hand_ends(still, execution):
    still.tasks.upsert_many([execution("a"), execution("b", parent_state_id="a"), execution("c", parent_state_id="b")])
    count(still.store, "update task_states set parent_state_id = 'c' where task_exec_id = 'a'")
    tree = still.tasks.tree("a", max_depth=20)
    assert ([node.task.task_exec_id for node in tree.nodes], tree.truncated) == (["a", "b", "c"], False)


@pytest.mark.parity(67)
def test_pages_visit_each_row_once_however_many_are_of_one_moment(db):
    # Three moments, many rows of each, and rows that come while the pages are read.
    moments = [AT.replace(microsecond=m) for m in (1, 1, 1, 2, 2, 3)]
    clock = iter(moments * 20)
    filling = Database(db.store, db.queries, clock=lambda: next(clock))
    made = [filling.users.create(f"u{i}@x.org") for i in range(60)]
    wanted = sorted(made, key=lambda user: (user.created_at, user.id), reverse=True)
    for limit in (1, 7, 59, 60, 61):
        found, after = [], None
        while True:
            page = db.users.list(limit=limit, after=after)
            assert len(page.items) == limit or page.next is None
            found += page.items
            after = page.next
            if after is None:
                break
        assert found == wanted
    first = db.users.list(limit=10)
    Database(db.store, db.queries, clock=lambda: AT.replace(year=2027)).users.create("later@x.org")
    db.users.delete(wanted[5].id)
    assert db.users.list(limit=1000, after=first.next).items == wanted[10:]


@pytest.mark.parity(87)
def test_columns_have_the_names_of_the_query(db):
    statement = (
        query(db.store, "select count(*) as n, 'a' as text, 1 as one from users", "", "int")._variant(()).statement
    )
    assert db.store.columns(statement) == (["n", "text", "one"], [(0, "a", 1)])


@pytest.mark.parity(86)
def test_signs_of_the_drivers_are_only_text(db):
    assert value(db.store, "select 'a%s %(b)s %% :c $1 ?' as x", "text") == "a%s %(b)s %% :c $1 ?"
    assert value(db.store, "select 7 % 4 as x", "int") == 3


# --- transactions ---


@pytest.mark.parity(77)
def test_an_error_ends_the_unit_of_work_and_a_savepoint_saves_it(db):
    db.users.create("taken@x.org")
    with pytest.raises(TransactionError), db.transaction() as tx:
        tx.users.create("lost@x.org")
        with pytest.raises(EmailExists):
            tx.users.create("taken@x.org")
        with pytest.raises(TransactionError):
            tx.users.list()
    with db.transaction() as tx:
        with pytest.raises(EmailExists), tx.transaction() as inner:
            inner.users.create("taken@x.org")
        tx.users.create("kept@x.org")
    assert {user.email for user in db.users.list().items} == {"taken@x.org", "kept@x.org"}


@pytest.mark.parity(78)
def test_no_update_is_lost_between_threads(still):
    still.workflows.upsert(WorkflowState("w1", "w", "RUNNING"))

    def work():
        for _ in range(10):
            still.workflows.merge_usage("w1", [UsageEntry("p", "m", 1)])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    state = still.workflows.get("w1")
    assert (state.usage[0].prompt_tokens, state.version) == (40, 41)


@pytest.mark.parity(92)
def test_a_script_is_part_of_the_transaction_that_it_runs_in(db):
    scratch(db.store, n="int")
    with pytest.raises(RuntimeError), db.store.transaction() as tx:
        script(tx, "insert into scratch values (1); insert into scratch values (2);")
        assert value(tx, "select count(*) as n from scratch", "int") == 2
        raise RuntimeError
    assert value(db.store, "select count(*) as n from scratch", "int") == 0


@pytest.mark.parity(93)
def test_a_read_leaves_no_transaction_open(db):
    for _ in range(5):
        db.users.list()
        db.workflows.list()
        assert not db.store.in_transaction
    if db.store.dialect == "postgres":
        idle = "select count(*) as n from pg_stat_activity where datname = current_database() and state like 'idle in%'"
        assert value(db.store, idle, "int") == 0


@pytest.mark.parity(94)
def test_a_snapshot_only_reads(db):
    with pytest.raises((TransactionError, DatabaseReadOnly)), db.store.snapshot() as snapshot:
        count(snapshot, "delete from users")
    with db.store.snapshot() as snapshot:
        assert value(snapshot, "select count(*) as n from users", "int") == 0


ENDLESS = """
with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < 1000000000)
select count(*) as n from numbers
"""


@pytest.mark.parity(95)
def test_a_statement_that_takes_too_long_is_a_statement_timeout(database_url):
    from diglot import statestore

    with statestore.open(database_url, migrate=False, statement_timeout=0.2) as db:
        with pytest.raises(StatementTimeout):
            value(db.store, ENDLESS, "int")
        assert value(db.store, "select 1 as x", "int") == 1


@pytest.mark.parity(90)
def test_what_is_deleted_is_overwritten_on_sqlite(db):
    if db.store.dialect == "sqlite":
        statement = query(db.store, "select secure_delete as x from pragma_secure_delete", "", "int")
        assert statement(db.store) == [1]
    assert not [q for q in db.queries if "trigger" in q.source.sql]


@pytest.mark.parity(89)
def test_the_engine_has_what_the_queries_use(db):
    name, version = db.store.server_version.split()
    parts = tuple(int(part) for part in version.split(".")[:2])
    assert parts >= {"SQLite": (3, 40), "PostgreSQL": (15, 0)}[name]
    scratch(db.store, n="int")
    features = "insert into scratch values (:n) on conflict do nothing returning n"
    assert rows(db.store, features, "int", n=1) == [1]
    assert rows(db.store, "select n from scratch where n is distinct from :m order by n nulls last", "int", m=2) == [1]


@pytest.mark.parity(84)
def test_unique_values_that_change_places_are_refused_alike(db):
    scratch(db.store, n="int")
    script(db.store, "create unique index uq on scratch (n); insert into scratch values (1), (2);")
    with pytest.raises(UniqueViolation):
        count(db.store, "update scratch set n = 3 - n")
    assert rows(db.store, "select n from scratch order by n", "int") == [1, 2]


@pytest.mark.parity(22, 77)
def test_a_check_names_itself(still):
    still.workflows.upsert(WorkflowState("w1", "w", "RUNNING"))
    with pytest.raises(CheckViolation) as error:
        count(still.store, "update workflow_states set version = 0")
    assert (error.value.constraint, error.value.query) == ("ck_workflow_states_version", "text.q")
