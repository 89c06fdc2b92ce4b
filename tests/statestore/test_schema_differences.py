"""docs/schema-differences.md is what the schemas and the query files say."""

from __future__ import annotations

import pytest

from tests.statestore.schema_differences import PAGE, page


@pytest.mark.postgres
def test_the_page_is_up_to_date(postgres_url: str) -> None:
    assert PAGE.read_text("utf-8") == page(postgres_url), "run: python -m tests.statestore.schema_differences"
