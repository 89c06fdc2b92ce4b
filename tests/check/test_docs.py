"""docs/check.md shows what is really said: the mistakes that it tells of are made, and the output compared."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from diglot.check.run import CHECKS
from tests.cli.running import diglot

PROJECT = Path(__file__).parent.parent.parent
PAGE = (PROJECT / "docs" / "check.md").read_text("utf-8")


def test_the_output_is_what_is_said(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = tmp_path / "shop"
    shutil.copytree(PROJECT / "examples" / "own-project", shop, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(shop)
    monkeypatch.syspath_prepend(str(shop))
    for dialect in ("postgres", "sqlite"):
        up = "drop index ix_orders_customer_id_placed_at;\n\n"
        up += "create index ix_orders_customer_id\non orders (customer_id);\n"
        (shop / "migrations" / dialect / "0004_faster_lists.up.sql").write_text(up)
        (shop / "migrations" / dialect / "0004_faster_lists.down.sql").write_text("drop index ix_orders_customer_id;\n")
    change(shop / "migrations/sqlite/0003_order_notes.up.sql", "note text;", "note text not null default '';")
    change(shop / "queries/sqlite/orders.sql", "    total_cents,\n    placed_at,", "    placed_at,\n    total_cents,")
    shown = re.search(r"^```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert shown
    result = diglot("check", "--postgres-url", postgres_url)
    assert without_times(result.out) == without_times(shown[1])


def test_every_check_is_told_of() -> None:
    assert re.findall(r"^\| (\w+) \| (?:queries|both|migrations) \|", PAGE, re.MULTILINE) == list(CHECKS)


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))


def without_times(text: str) -> str:
    return re.sub(r"\d+\.\d s", "… s", text)
