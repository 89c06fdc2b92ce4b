"""``diglot prune``, ``workflow cancel`` and ``workflow stale``."""

from __future__ import annotations

from pathlib import Path

import pytest

from diglot import statestore
from tests.cli.running import diglot
from tests.statestore.repositories.test_pruning import record


@pytest.fixture
def url(migrated_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", migrated_url)
    return migrated_url


def test_prune_counts_asks_and_deletes(url: str) -> None:
    with statestore.open(url) as db:
        for number in range(3):
            record(db, f"w{number}", 4000)
    tried = diglot("prune", "--older-than", "30d", "--dry-run")
    assert (tried.code, tried.out) == (0, "would delete 3 executions\n")
    asked = diglot("prune", "--older-than", "30d")
    assert asked.code == 1
    assert "3 executions" in asked.err
    done = diglot("prune", "--older-than", "30d", "--keep-last", "1", "--yes")
    assert done.code == 0
    assert done.out.startswith("deleted 2 executions")
    assert diglot("prune", "--older-than", "30d", "--yes", "--format", "json").json["deleted"] == 1
    wrong = diglot("prune", "--older-than", "a month")
    assert (wrong.code, wrong.err.count("\n")) == (2, 1)
    assert "use a number with s, m, h, d or w, such as 30d" in wrong.err
    long = diglot("prune", "--older-than", "999999w")
    assert (long.code, long.err.count("\n"), "is too long: use at most 36500d" in long.err) == (2, 1, True)


def test_cancel_and_stale(url: str) -> None:
    with statestore.open(url) as db:
        record(db, "a", 4000, "RUNNING")
        record(db, "b", 4000, "RUNNING")
    assert diglot("workflow", "cancel", "a").out == "canceled a (it was RUNNING)\n"
    again = diglot("workflow", "cancel", "a")
    assert (again.code, "has already ended (CANCELED)" in again.err) == (1, True)
    missing = diglot("workflow", "cancel", "none")
    assert (missing.code, missing.err.count("\n")) == (1, 1)
    listed = diglot("workflow", "stale", "--older-than", "1h", "--format", "json").json
    assert [run["workflow_exec_id"] for run in listed["items"]] == ["b"]
    ended = diglot("workflow", "stale", "--older-than", "1h", "--end", "TIMED_OUT", "--format", "json").json
    assert ended["ended"] == ["b"]
    assert "no stale executions" in diglot("workflow", "stale", "--older-than", "1h").err
