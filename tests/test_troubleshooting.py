"""docs/troubleshooting.md has every error, once, with a cause and something to do."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from diglot import errors
from diglot.statestore import errors as refusals

PAGE = Path(__file__).parent.parent / "docs" / "troubleshooting.md"
ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| (.+?) \|$", re.MULTILINE)


def test_every_error_has_its_row() -> None:
    known = {
        name
        for module in (errors, refusals)
        for name, found in vars(module).items()
        if inspect.isclass(found) and issubclass(found, errors.DiglotError) and found.__module__.startswith("diglot")
    }
    rows = [row[0] for row in ROW.findall(PAGE.read_text("utf-8"))]
    assert sorted(rows) == sorted(known - {"DiglotError"})
