"""A copy of examples/own-project to work in, and to break."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "own-project"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The copy, with the working directory in it. Its package ``shop`` is imported anew."""
    copy = tmp_path / "shop"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(copy)
    monkeypatch.delenv("DIGLOT_CHECK_POSTGRES_URL", raising=False)
    monkeypatch.syspath_prepend(str(copy))
    _forget()
    yield copy
    _forget()


def edit(file: Path, old: str, new: str) -> None:
    """Change the one place where the old text stands."""
    text = file.read_text("utf-8")
    assert text.count(old) == 1, f"{old!r} in {file}"
    file.write_text(text.replace(old, new), "utf-8")


def _forget() -> None:
    for name in [name for name in sys.modules if name == "shop" or name.startswith("shop.")]:
        del sys.modules[name]
