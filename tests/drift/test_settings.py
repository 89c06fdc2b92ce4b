"""drift.toml: what is accepted, with its reason and until when; and what is wrong in it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from diglot.drift import DriftSettings, load_allowed
from diglot.drift.difference import Difference
from diglot.drift.settings import sort_out
from diglot.errors import ConfigurationError

TODAY = date(2027, 6, 30)
GIN = Difference("index", "task_states", "ix_task_states_output", "index using gin (output)", None, "only on the left")
OTHER = Difference("index", "task_states", "ix_other", None, "index (a)", "only on the right")
ENTRY = """
[[allow]]
kind = "index"
table = "task_states"
name = "ix_task_states_output"
reason = "a GIN index exists only on PostgreSQL"
until = 2027-06-30
"""


def settings(folder: Path, text: str) -> DriftSettings:
    file = folder / "drift.toml"
    file.write_text(text, "utf-8")
    return load_allowed(file)


def test_an_accepted_difference_is_kept_apart_with_its_reason(tmp_path: Path) -> None:
    remaining, allowed = sort_out([GIN, OTHER], settings(tmp_path, ENTRY).allow, TODAY)
    assert remaining == [OTHER]
    assert [(each.name, each.reason, each.until) for each in allowed] == [
        ("ix_task_states_output", "a GIN index exists only on PostgreSQL", TODAY)
    ]


def test_an_entry_past_its_date_allows_nothing(tmp_path: Path) -> None:
    remaining, allowed = sort_out([GIN], settings(tmp_path, ENTRY).allow, date(2027, 7, 1))
    assert allowed == []
    assert [each.name for each in remaining] == [GIN.name]
    assert "2027-06-30" in remaining[0].message


def test_an_entry_that_matches_nothing_is_a_finding(tmp_path: Path) -> None:
    remaining, allowed = sort_out([OTHER], settings(tmp_path, ENTRY).allow, TODAY)
    assert allowed == []
    assert [(each.kind, each.table, each.name) for each in remaining] == [
        ("index", "task_states", "ix_other"),
        ("index", "task_states", "ix_task_states_output"),
    ]
    assert "remove the entry" in remaining[1].message


def test_kind_and_table_must_be_right_too(tmp_path: Path) -> None:
    for old, new in (('"index"', '"unique"'), ('"task_states"', '"workflow_states"')):
        remaining, _ = sort_out([GIN], settings(tmp_path, ENTRY.replace(old, new)).allow, TODAY)
        assert GIN in remaining


def test_a_star_stands_for_any_text_and_nothing_else_does(tmp_path: Path) -> None:
    entry = ENTRY.replace("ix_task_states_output", "ix_*_out?ut")
    assert GIN in sort_out([GIN], settings(tmp_path, entry).allow, TODAY)[0]
    assert (
        sort_out([GIN, OTHER], settings(tmp_path, ENTRY.replace("ix_task_states_output", "ix_*")).allow, TODAY)[0] == []
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[allow]", "not TOML"),
        (ENTRY.replace('"index"', '"indexes"'), "kind is one of table, column"),
        (ENTRY.replace('reason = "a GIN index exists only on PostgreSQL"', ""), "reason"),
        (ENTRY.replace("a GIN index exists only on PostgreSQL", " "), "without a reason"),
        (ENTRY.replace("until", "til"), "til"),
        (ENTRY.replace("[[allow]]", "[[alow]]"), "alow"),
        (ENTRY.replace("2027-06-30", '"next year"'), "until"),
        ('[[equivalent]]\npostgres = "interval"', "sqlite"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=r"drift\.toml") as caught:
        settings(tmp_path, text)
    assert problem in str(caught.value)


def test_a_file_that_is_named_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_allowed() == DriftSettings()
    with pytest.raises(ConfigurationError, match=r"accepted\.toml: can't be read: no such file"):
        load_allowed(Path("accepted.toml"))
    Path("drift.toml").write_text(ENTRY)
    assert len(load_allowed().allow) == 1
