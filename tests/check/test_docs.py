"""docs/check.md shows what is really said: the mistakes that it tells of are made, and the output compared."""

from __future__ import annotations

import re
from pathlib import Path

from diglot.check.run import CHECKS
from tests.check.example import edit, project
from tests.cli.running import diglot

__all__ = ["project"]
PAGE = (Path(__file__).parent.parent.parent / "docs" / "check.md").read_text("utf-8")


def test_the_output_is_what_is_said(project: Path, postgres_url: str) -> None:
    for dialect in ("postgres", "sqlite"):
        up = "drop index ix_orders_customer_id_placed_at;\n\n"
        up += "create index ix_orders_customer_id\non orders (customer_id);\n"
        (project / "migrations" / dialect / "0004_faster_lists.up.sql").write_text(up)
        (project / "migrations" / dialect / "0004_faster_lists.down.sql").write_text(
            "drop index ix_orders_customer_id;\n"
        )
    edit(project / "migrations/sqlite/0003_order_notes.up.sql", "note text;", "note text not null default '';")
    edit(project / "queries/sqlite/orders.sql", "    total_cents,\n    placed_at,", "    placed_at,\n    total_cents,")
    shown = re.search(r"^```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert shown
    result = diglot("check", "--postgres-url", postgres_url)
    assert without_times(result.out) == without_times(shown[1])


def test_every_check_is_told_of() -> None:
    assert re.findall(r"^\| (\w+) \| (?:queries|both|migrations) \|", PAGE, re.MULTILINE) == list(CHECKS)


def without_times(text: str) -> str:
    return re.sub(r"\d+\.\d s", "… s", text)
