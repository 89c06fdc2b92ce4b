"""Token usage adds up the same in whatever order and grouping it arrives."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diglot.errors import InvalidValue
from diglot.statestore.models import UsageEntry
from diglot.statestore.repositories.usage import merge_usage
from tests.parity.strategies import MANY

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=1)
OPTIONAL = ("reasoning_tokens", "cached_prompt_tokens", "input_audio_tokens", "output_audio_tokens")
COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens", *OPTIONAL)


def entry(provider="p", model="m", **fields):
    return UsageEntry(provider, model, **fields)


counts = st.integers(0, 1000)
instants = st.integers(0, 50).map(lambda minutes: NOON + timedelta(minutes=minutes))
entries = st.builds(
    UsageEntry,
    st.sampled_from(["p", "P", "q"]),
    st.sampled_from(["m", "n"]),
    prompt_tokens=counts,
    completion_tokens=counts,
    total_tokens=st.just(0) | counts,
    agent_ids=st.none() | st.lists(st.sampled_from("abc"), max_size=3),
    captured_at=st.none() | instants,
    updated_at=st.none() | instants,
    source=st.none() | st.sampled_from(["", "chat", " Chat ", "CHAT", "batch"]),
    **{name: st.none() | counts for name in OPTIONAL},
)
usages = st.lists(entries, max_size=4)


def without_spelling(usage):
    """The first spelling of a source stays; which one that is, is not part of the promise."""
    return [e.replace(source=(e.source or "").casefold()) for e in usage]


@MANY
@given(usages, usages, usages)
def test_the_grouping_does_not_matter(a, b, c):
    left = merge_usage(merge_usage(merge_usage(None, a), b), c)
    right = merge_usage(merge_usage(None, a), merge_usage(merge_usage(None, b), c))
    assert left == right


@MANY
@given(usages, usages)
def test_the_order_does_not_matter(a, b):
    assert without_spelling(merge_usage(a, b)) == without_spelling(merge_usage(b, a))


@MANY
@given(usages)
def test_nothing_added_changes_nothing(a):
    merged = merge_usage(None, a)
    assert merge_usage(merged, None) == merged
    assert merge_usage(merged, []) == merged
    assert merge_usage([], merged) == merged


@MANY
@given(usages, usages)
def test_no_token_is_lost(a, b):
    merged = merge_usage(a, b)
    for name in COUNTS:
        whole = [getattr(e, name) or (name == "total_tokens" and e.prompt_tokens + e.completion_tokens) or 0
                 for e in a + b]  # fmt: skip
        assert sum(getattr(e, name) or 0 for e in merged) == sum(whole)


@MANY
@given(usages)
def test_one_entry_a_key_sorted(a):
    merged = merge_usage(None, a)
    keys = [(e.provider, e.model, (e.source or "").casefold()) for e in merged]
    assert keys == sorted(set(keys))


def test_two_entries_of_the_same_key_become_one():
    a = entry(prompt_tokens=1, completion_tokens=2, reasoning_tokens=3, agent_ids=["b", "a"], captured_at=LATER,
              updated_at=NOON, source="Chat")  # fmt: skip
    b = entry(prompt_tokens=10, completion_tokens=20, total_tokens=50, cached_prompt_tokens=4, agent_ids=["c", "a"],
              captured_at=NOON, updated_at=LATER, source=" chat ")  # fmt: skip
    assert merge_usage([a], [b]) == [
        entry(
            prompt_tokens=11,
            completion_tokens=22,
            total_tokens=53,
            reasoning_tokens=3,
            cached_prompt_tokens=4,
            agent_ids=["a", "b", "c"],
            captured_at=NOON,
            updated_at=LATER,
            source="Chat",
        )
    ]


def test_entries_of_one_call_become_one_too():
    assert merge_usage(None, [entry(prompt_tokens=1), entry(prompt_tokens=2)]) == [
        entry(prompt_tokens=3, total_tokens=3)
    ]


@pytest.mark.parametrize("name", OPTIONAL)
def test_an_optional_count_stays_absent_when_both_sides_lack_it(name):
    lacking, none, some = entry(), entry(**{name: 0}), entry(**{name: 7})
    for a, b, wanted in ((lacking, lacking, None), (lacking, none, 0), (none, lacking, 0), (lacking, some, 7),
                         (some, lacking, 7), (some, some, 14)):  # fmt: skip
        assert getattr(merge_usage([a], [b])[0], name) == wanted


def test_what_differs_in_provider_model_or_source_stays_apart():
    apart = [entry(), entry(model="n"), entry("q"), entry(source="chat"), entry("P")]
    merged = merge_usage(None, apart)
    assert [(e.provider, e.model, e.source) for e in merged] == [
        ("P", "m", None),
        ("p", "m", None),
        ("p", "m", "chat"),
        ("p", "n", None),
        ("q", "m", None),
    ]


def test_no_source_and_an_empty_one_are_the_same():
    assert len(merge_usage([entry()], [entry(source=""), entry(source="  ")])) == 1


def test_times_in_other_zones_are_compared_as_instants():
    ahead = timezone(timedelta(hours=5, minutes=45))
    (merged,) = merge_usage([entry(captured_at=NOON)], [entry(captured_at=(NOON - timedelta(1)).astimezone(ahead))])
    assert merged.captured_at == NOON - timedelta(1)
    assert merged.captured_at.tzinfo is UTC


def test_the_given_lists_stay_as_they_are():
    agents = ["b", "a", "b"]
    stored, added = [entry(agent_ids=agents)], [entry(agent_ids=["c"])]
    merge_usage(stored, added)
    assert (agents, len(stored), len(added), added[0].agent_ids) == (["b", "a", "b"], 1, 1, ["c"])


@pytest.mark.parametrize("bad", [entry(""), entry(prompt_tokens=-1), entry(source=5), "p"], ids=repr)
def test_a_bad_entry_is_refused_with_its_index(bad):
    with pytest.raises(InvalidValue, match=r"^usage\[1\]"):
        merge_usage(None, [entry(), bad])
