"""From ``[knowledge]`` in diglot.toml to vector databases that are open, by one call; and the rules of the start."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from diglot.errors import ConfigurationError, DatabaseUnavailable, StoreClosed
from diglot.statestore.config import Config, load
from diglot.statestore.knowledge import open_knowledge
from diglot.statestore.vectors import Record
from tests.cli.running import diglot

DOCS = "[[knowledge.vector_dbs]]\nid = 'docs'\nprovider = 'filesystem'\ndimension = 2\n"
NOTES = "[[knowledge.vector_dbs]]\nid = 'notes'\nprovider = 'qdrant'\npath = ':memory:'\ndimension = 3\n"
GONE = "[[knowledge.vector_dbs]]\nid = 'gone'\nprovider = 'redis'\nurl = 'unix://:geheim@/nowhere/s'\ndimension = 3\n"


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def configured(*sections: str, enabled: str = "true") -> Config:
    Path("diglot.toml").write_text("\n".join([f"[knowledge]\nenabled = {enabled}", *sections]), "utf-8")
    return load(env={})


def test_all_are_opened_by_their_ids_and_closed_together() -> None:
    with open_knowledge(configured(DOCS, NOTES)) as knowledge:
        assert (list(knowledge), len(knowledge)) == (["docs", "notes"], 2)
        docs, notes = knowledge["docs"], knowledge["notes"]
        docs.upsert([Record("a", [1, 0])])
        notes.upsert([Record("b", [1, 0, 0])])
        with pytest.raises(ConfigurationError, match=r"knowledge\.vector_dbs has no 'laws': it has 'docs', 'notes'"):
            knowledge["laws"]
    for store in (docs, notes):
        with pytest.raises(StoreClosed):
            store.count()
    with open_knowledge(configured(DOCS)) as knowledge:
        assert knowledge["docs"].count() == 1


def test_pgvector_without_an_address_is_in_the_database_of_the_state_store(postgres_url: str) -> None:
    Path("diglot.toml").write_text(f"[knowledge]\nenabled = true\n{DOCS.replace('filesystem', 'pgvector')}", "utf-8")
    with open_knowledge(load(env={"DATABASE_URL": postgres_url})) as knowledge:
        knowledge["docs"].upsert([Record("a", [1, 0])])
        assert knowledge["docs"].count() == 1


def test_knowledge_that_is_off_opens_nothing() -> None:
    with open_knowledge(configured(DOCS, GONE, enabled="false")) as knowledge:
        assert len(knowledge) == 0
        with pytest.raises(ConfigurationError, match=r"knowledge is off: set knowledge\.enabled = true"):
            knowledge["docs"]
    assert not Path("data").exists()


def test_what_can_not_be_opened_is_named_and_the_others_are_closed() -> None:
    with pytest.raises(
        DatabaseUnavailable, match=r"^knowledge.vector_dbs\[1\] \('gone'\): redis at unix://"
    ) as refused:
        open_knowledge(configured(DOCS, GONE))
    assert "geheim" not in str(refused.value)
    with pytest.raises(ConfigurationError, match=r"^knowledge.vector_dbs\[0\] \('docs'\): .* dimension 2 and metric"):
        open_knowledge(configured(DOCS.replace("2", "3")))


@pytest.mark.parametrize(
    ("sections", "text"),
    [
        ([], "knowledge.enabled is true, but knowledge.vector_dbs is empty"),
        ([DOCS.replace("filesystem", "pgvector")], "knowledge.vector_dbs[0].provider: pgvector ('docs') needs Postgre"),
    ],
)
def test_the_rules_hold_when_the_service_starts_and_before_a_store_is_opened(sections: list[str], text: str) -> None:
    config = configured(*sections)
    with pytest.raises(ConfigurationError, match=re.escape(text)):
        open_knowledge(config)
    done = diglot("start", "--port", "0")
    assert (done.code, text in done.err) == (2, True), done
    assert not Path("data").exists()
