"""The list of pairs: what is the same and what is different, from both sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from diglot.drift import compare
from diglot.stores import open_store
from diglot.stores.store import Store
from diglot.stores.url import parse_url
from tests.databases import POSTGRES as SERVERS
from tests.databases import Databases
from tests.drift.pairs import PAIRS, Pair
from tests.drift.shop import read_postgres_text, read_sqlite_text


@pytest.fixture(scope="module")
def store(databases: Databases) -> Iterator[Store]:
    server = databases.postgres(SERVERS[-1])
    name = server.create(migrated=False)
    with open_store(parse_url(server.url(name))) as opened:
        yield opened
    server.drop(name)


def test_every_pair_is_there_once_and_both_answers_often() -> None:
    assert len(PAIRS) >= 100
    assert len({(pair.postgres, pair.sqlite) for pair in PAIRS}) == len(PAIRS)
    found = Counter(pair.answer for pair in PAIRS)
    assert min(found.values()) >= 40


@pytest.mark.postgres
@pytest.mark.parametrize("pair", PAIRS, ids=[f"{pair.answer}: {pair.why}" for pair in PAIRS])
def test_a_pair(store: Store, pair: Pair) -> None:
    postgres, sqlite = read_postgres_text(store, pair.postgres + ";"), read_sqlite_text(pair.sqlite + ";")
    for sides in ((postgres, sqlite), (sqlite, postgres)):
        found = compare(*sides)
        assert ("different" if found else "same") == pair.answer, [each.message for each in found]
