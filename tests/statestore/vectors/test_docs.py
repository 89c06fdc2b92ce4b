"""What docs/vectors.md shows works, and its tables name every option."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from diglot.statestore.config import load
from diglot.statestore.config.knowledge import check_knowledge
from diglot.statestore.vectors.providers import PROVIDERS, Provider

PAGE = (Path(__file__).parents[3] / "docs" / "vectors.md").read_text("utf-8")
BLOCKS = re.findall(r"```(python|toml)\n(.*?)```", PAGE, re.DOTALL)


def test_the_examples_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    (toml,) = [text for kind, text in BLOCKS if kind == "toml"]
    Path("diglot.toml").write_text(toml, "utf-8")
    check_knowledge(load())
    assert [db.id for db in load().knowledge.vector_dbs] == ["laws", "notes"]
    here = toml.replace('url = "https://qdrant.example.org:6333"', 'path = ":memory:"')  # there is no such server
    Path("diglot.toml").write_text(here, "utf-8")
    for kind, text in BLOCKS:
        if kind == "python":
            exec(compile(text, "docs/vectors.md", "exec"), {})  # noqa: S102
    assert capsys.readouterr().out.splitlines() == [
        "b 1.0 Steuerrecht {'lang': 'de', 'tags': ['law']}",
        "a 0.995 Tax law {'lang': 'en', 'tags': ['law', 'tax'], 'year': 2024}",
        "0",
        "laws 0",
        "notes 0",
    ]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_option_is_named(provider: Provider) -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith(f"| {provider} |")]
    named = set(re.findall(r"`(\w+)`", rows[-1].split("|")[4]))
    assert named == set(PROVIDERS[provider].options.__struct_fields__)
