"""docs/drift.md: its example is run, and what it shows is what is printed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from diglot.drift import KINDS
from tests.cli.running import diglot

PAGE = (Path(__file__).parents[2] / "docs" / "drift.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_example_is_what_is_printed(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for dialect, text in zip(("postgres", "sqlite"), blocks("sql"), strict=True):
        (tmp_path / "migrations" / dialect).mkdir(parents=True)
        (tmp_path / "migrations" / dialect / "0001_shop.sql").write_text(text)
    before, after = blocks("text")
    arguments = ("drift", "--migrations", "migrations", "--postgres-url", postgres_url)
    assert diglot(*arguments).out == before
    found = diglot(*arguments, "--format", "json").json["differences"][0]
    shown = blocks("json")[0]
    for name, value in found.items():
        assert f"{json.dumps(name)}: {json.dumps(value)}" in shown
    accepted, equivalent = blocks("toml")
    Path("drift.toml").write_text(accepted.replace("2027-06-30", "2999-01-01") + equivalent)
    done = diglot(*arguments)
    assert (done.code, done.out) == (1, after)


def test_every_kind_is_named() -> None:
    for kind in KINDS:
        assert f"`{kind}`" in PAGE
