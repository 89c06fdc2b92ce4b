"""A timestamp is one instant in UTC, to the microsecond, and on SQLite a text whose order is the order of time."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diglot.errors import InvalidValue
from diglot.sql.timestamps import WIDTH, strict_timestamp, timestamp_from_text, timestamp_text, utc
from tests.parity.strategies import MANY

TEXTS = [
    (datetime(2026, 1, 31, 9, 5, 7, 123, UTC), "2026-01-31T09:05:07.000123Z"),
    (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000000Z"),
    (datetime(999, 12, 31, tzinfo=UTC), "0999-12-31T00:00:00.000000Z"),
    (datetime(2024, 2, 29, 23, 59, 59, 999999, UTC), "2024-02-29T23:59:59.999999Z"),
    (datetime(9999, 12, 31, 23, 59, 59, 999999, UTC), "9999-12-31T23:59:59.999999Z"),
]


@pytest.mark.parametrize(("value", "text"), TEXTS, ids=[text for _, text in TEXTS])
def test_the_text_has_one_width_and_comes_back_as_the_same_instant(value, text):
    assert timestamp_text(value) == text
    assert len(text) == WIDTH
    assert timestamp_from_text(text) == value
    assert timestamp_from_text(text).tzinfo is UTC
    assert strict_timestamp(text) == value


def whole_years():
    return st.datetimes(datetime.min, datetime.max, timezones=st.just(UTC))


@MANY
@given(whole_years(), whole_years())
def test_the_order_of_texts_is_the_order_of_time(a, b):
    assert (timestamp_text(a) < timestamp_text(b)) == (a < b)
    assert timestamp_from_text(timestamp_text(a)) == a


def test_a_whole_second_sorts_before_its_fractions():
    second = datetime(2026, 1, 31, 9, 5, 7, 0, UTC)
    assert timestamp_text(second) < timestamp_text(second + timedelta(microseconds=500_000))


@MANY
@given(
    st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)),
    st.integers(-24 * 60 + 1, 24 * 60 - 1).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
def test_an_offset_is_the_same_instant_in_utc(naive, zone):
    value = naive.replace(tzinfo=zone)
    assert utc(value, "at") == value
    assert utc(value, "at").tzinfo is UTC


class Undecided(tzinfo):
    """A zone that does not say how far from UTC it is."""

    def utcoffset(self, dt):
        return None


@pytest.mark.parametrize("zone", [None, Undecided()], ids=["naive", "zone without an offset"])
def test_a_datetime_without_a_known_zone_is_refused(zone):
    with pytest.raises(InvalidValue, match=r"^created_at: a datetime without a time zone"):
        utc(datetime(2026, 1, 31, tzinfo=zone), "created_at")


@pytest.mark.parametrize(
    ("value", "hours"),
    [(datetime(1, 1, 1), 1), (datetime(9999, 12, 31, 23, 59), -1)],
    ids=["before year 1", "after 9999"],
)
def test_an_instant_outside_of_the_years_1_to_9999_is_refused(value, hours):
    with pytest.raises(InvalidValue, match="outside the years 1 to 9999") as error:
        utc(value.replace(tzinfo=timezone(timedelta(hours=hours))), "at")
    assert error.value.path == "at"


NO_TIMESTAMPS = [
    "",
    "2026-01-31T09:05:07Z",
    "2026-01-31T09:05:07.123Z",
    "2026-01-31T09:05:07.0001234Z",
    "2026-01-31T09:05:07.000123z",
    "2026-01-31T09:05:07.00012+0",
    "2026-01-31T09-05-07.000123Z",
    "2026-031T009:05:07.000123 Z",
    "2026-02-30T09:05:07.000123Z",
    "2026-01-31T25:00:00.000000Z",
    "2026-01-31T23:59:60.000000Z",
    "2026-01-31T23:60:00.000000Z",
    "0000-01-01T00:00:00.000000Z",
    "٢٠٢٦-01-31T09:05:07.000123Z",
    "2026-01-31T09:05:07.00012३Z",
    "infinity",
]
OTHER_FORMS = [
    "2026-01-31 09:05:07.000123Z",
    "2026-01-31t09:05:07.000123Z",
    "2026-01-31T09:05:07,000123Z",
    "2026-W05-6T09:05:07.000123Z",
    "2026-01-31T24:00:00.000000Z",
]


@pytest.mark.parametrize("text", NO_TIMESTAMPS, ids=ascii)
def test_a_text_that_is_no_timestamp_is_refused(text):
    for read in (timestamp_from_text, strict_timestamp):
        with pytest.raises(ValueError):  # noqa: PT011 - what it says is Python's
            read(text)


@pytest.mark.parametrize("text", OTHER_FORMS, ids=ascii)
def test_another_form_of_iso_8601_is_refused_from_outside(text):
    with pytest.raises(ValueError):  # noqa: PT011
        strict_timestamp(text)
