"""Time: the same instant to the microsecond, in UTC, in order, from year 1 to 9999, on both databases."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diglot.errors import CheckViolation, DatabaseError, InvalidValue
from diglot.statestore.database import Database
from diglot.statestore.models import UsageEntry, WorkflowState
from tests.parity.adhoc import count, query, rows, scratch, script, value
from tests.parity.conftest import AT
from tests.parity.strategies import FEW

FIRST = datetime.min.replace(tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)
KATHMANDU = timezone(timedelta(hours=5, minutes=45))
MOMENTS = [
    FIRST,
    datetime(1, 1, 1, 0, 0, 0, 1, UTC),
    datetime(999, 12, 31, 23, 59, 59, 999999, UTC),
    datetime(1582, 10, 10, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999999, UTC),
    datetime(2024, 2, 29, 12, 0, tzinfo=UTC),
    datetime(2026, 1, 31, 9, 5, 7, 0, UTC),
    datetime(2026, 1, 31, 9, 5, 7, 1, UTC),
    datetime(2026, 1, 31, 9, 5, 7, 500_000, UTC),
    datetime(2026, 1, 31, 9, 5, 8, 0, UTC),
    datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
    datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC),
    LAST,
]


def at(db, moment):
    """The database with a clock that stands at a moment."""
    return Database(db.store, db.queries, clock=lambda: moment)


@pytest.mark.parity(37, 38, 41, 43, 45)
def test_moments_survive_and_sort(db):
    for i, moment in enumerate(MOMENTS):
        stored = at(db, moment).workflows.upsert(WorkflowState(f"w{i:02}", "w", "RUNNING"))
        assert (stored.created_at, stored.updated_at) == (moment, moment)
    found = db.workflows.list(limit=100).items
    assert [state.created_at for state in found] == MOMENTS[::-1]
    assert {state.created_at.tzinfo for state in found} == {UTC}
    for moment in MOMENTS:
        in_range = db.workflows.list(created_from=moment, limit=100).items
        assert [state.created_at for state in in_range] == [m for m in MOMENTS[::-1] if m >= moment]
        before = db.workflows.list(created_before=moment, limit=100).items
        assert [state.created_at for state in before] == [m for m in MOMENTS[::-1] if m < moment]


@pytest.fixture
def moments(db):
    """A store with the table scratch (moment timestamp)."""
    scratch(db.store, moment="timestamp")
    return db.store


@pytest.mark.parity(37, 40, 41, 43)
@FEW
@given(
    naive=st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)),
    minutes=st.integers(-23 * 60, 23 * 60),
)
def test_any_moment_in_any_zone_survives_to_the_microsecond(moments, naive, minutes):
    moment = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    count(moments, "delete from scratch")
    count(moments, "insert into scratch values (:m)", m=moment)
    found = value(moments, "select moment from scratch", "timestamp")
    assert found == moment
    assert found.tzinfo is UTC
    assert found.microsecond == naive.microsecond
    assert (
        value(moments, "select count(*) as n from scratch where moment = :m", "int", m=moment.astimezone(KATHMANDU))
        == 1
    )


@pytest.mark.parity(39)
def test_an_offset_asks_for_the_same_instant(db):
    at(db, AT).workflows.upsert(WorkflowState("w1", "w", "RUNNING"))
    local = AT.astimezone(KATHMANDU)
    assert len(db.workflows.list(created_from=local).items) == 1
    assert len(db.workflows.list(created_before=local).items) == 0
    assert len(db.workflows.list(created_before=local + timedelta(microseconds=1)).items) == 1


@pytest.mark.parity(43)
def test_a_clock_in_another_zone_stores_utc(db):
    user = at(db, AT.astimezone(KATHMANDU)).users.create("a@x.org")
    assert (user.created_at, user.created_at.tzinfo) == (AT, UTC)
    assert db.users.get(user.id) == user


NAIVE = AT.replace(tzinfo=None)


@pytest.mark.parity(39, 41)
def test_a_time_without_a_zone_is_refused(still, execution):
    user = still.users.create("a@x.org")
    usage = [UsageEntry("p", "m", captured_at=NAIVE)]
    calls = {
        "created_from": lambda: still.workflows.list(created_from=NAIVE),
        "created_before": lambda: still.workflows.list(created_before=NAIVE),
        "expires_at": lambda: still.api_keys.issue(user.id, expires_at=NAIVE),
        "usage[0].captured_at": lambda: still.tasks.upsert(execution("t1", usage=usage)),
        "now": lambda: at(still, NAIVE).users.create("b@x.org"),
    }
    for path, call in calls.items():
        with pytest.raises(InvalidValue) as error:
            call()
        assert error.value.path == path
        assert error.value.problem.startswith("a datetime without a time zone")
    assert still.tasks.list().items == still.api_keys.list(user.id).items == []


@pytest.mark.parity(41)
def test_a_moment_outside_of_the_years_1_to_9999_is_refused(db):
    for naive, hours in ((datetime(1, 1, 1), 1), (datetime(9999, 12, 31, 23), -2)):
        with pytest.raises(InvalidValue, match=r"^created_from: .* is outside the years 1 to 9999 in UTC$"):
            db.workflows.list(created_from=naive.replace(tzinfo=timezone(timedelta(hours=hours))))


BY_HAND = {
    "postgres": ["infinity", "-infinity", "0001-12-31 BC", "10000-01-01", "2026-02-30", "2026-13-01", "now then"],
    "sqlite": ["infinity", "-infinity", "-001-12-31T00:00:00.000000Z", "10000-01-01T00:00:00.00000Z",
               "2026-02-30T00:00:00.000000Z", "2026-13-01T00:00:00.000000Z", "now then",
               # what PostgreSQL would convert or round
               "2026-01-31T24:00:00.000000Z", "2026-01-31T23:59:60.000000Z", "2026-01-31T09:05:07.123456789Z",
               "2026-01-31 09:05:07.000123+00:00", "2026-01-31T10:05:07.000123+01:00", "2026-01-31T09:05:07Z"],
}  # fmt: skip


@pytest.mark.parity(37, 38, 39, 40, 41, 45)
def test_no_other_time_gets_in_when_it_is_written_by_hand(db):
    for text in BY_HAND[db.store.dialect]:
        with pytest.raises(DatabaseError):
            script(db.store, "insert into workflow_states (workflow_exec_id, workflow_id, status, created_at) "
                             f"values ('w1', 'w', 'RUNNING', '{text}');")  # fmt: skip
    assert db.workflows.list().items == []


@pytest.mark.parity(41)
def test_the_end_of_time_is_refused_by_a_check_of_the_same_name(db):
    with pytest.raises(CheckViolation) as error:
        script(db.store, "insert into workflow_states (workflow_exec_id, workflow_id, status, created_at) "
                         "values ('w1', 'w', 'RUNNING', 'infinity');")  # fmt: skip
    assert error.value.constraint == "ck_workflow_states_created_at"


@pytest.mark.parity(37)
def test_the_default_of_a_row_written_by_hand_is_a_time_in_utc(db):
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    script(
        db.store, "insert into workflow_states (workflow_exec_id, workflow_id, status) values ('w1', 'w', 'RUNNING');"
    )
    created_at = db.workflows.get("w1").created_at
    # The database's clock is this machine's; SQLite's has milliseconds.
    assert before <= created_at <= datetime.now(UTC) + timedelta(milliseconds=1)


class CountingClock:
    """A second later at each reading."""

    def __init__(self):
        self.readings = 0

    def __call__(self):
        self.readings += 1
        return AT + timedelta(seconds=self.readings)


@pytest.mark.parity(44)
def test_one_unit_of_work_reads_the_clock_once(db):
    clock = CountingClock()
    counted = Database(db.store, db.queries, clock=clock)
    state = WorkflowState("w1", "w", "RUNNING")
    units = {
        "upsert": lambda: counted.workflows.upsert(state),
        "save": lambda: counted.workflows.save(state.replace(version=1)),
        "update_status": lambda: counted.workflows.update_status("w1", "WAITING"),
        "merge_usage": lambda: counted.workflows.merge_usage("w1", [UsageEntry("p", "m")]),
        "complete": lambda: counted.workflows.complete("w1"),
        "create": lambda: counted.users.create("a@x.org"),
    }
    for name, unit in units.items():
        before = clock.readings
        stored = unit()
        assert clock.readings == before + 1, name
        assert stored.updated_at == AT + timedelta(seconds=clock.readings), name


@pytest.mark.parity(37)
def test_sqlite_keeps_text_of_one_width_and_postgres_a_time(db):
    at(db, AT).users.create("a@x.org")
    statement = query(db.store, "select created_at from users", "", "text").call()[0]
    ((raw,),) = db.store.rows(statement)
    assert raw == {"sqlite": "2026-01-31T09:05:07.000123Z", "postgres": AT}[db.store.dialect]


@pytest.mark.parity(43)
def test_times_inside_of_documents_are_instants_too(still):
    usage = [UsageEntry("p", "m", captured_at=AT.astimezone(KATHMANDU), updated_at=FIRST)]
    still.workflows.upsert(WorkflowState("w1", "w", "RUNNING", usage=usage))
    (entry,) = still.workflows.get("w1").usage
    assert (entry.captured_at, entry.updated_at) == (AT, FIRST)
    assert entry.captured_at.tzinfo is UTC


@pytest.mark.parity(43)
def test_a_postgres_session_speaks_utc_whatever_the_servers_zone(db):
    assert sorted(MOMENTS) == MOMENTS
    if db.store.dialect == "postgres":
        assert rows(db.store, "select current_setting('TimeZone') as zone", "text") == ["UTC"]
