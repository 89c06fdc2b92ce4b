"""docs/parity.md and the tests say the same: each row has its tests, each test its row, each link its end."""

import re

from tests.parity import page

TEXT = page.PAGE.read_text("utf-8")
ROWS = {int(match["number"]): match for match in page.ROW.finditer(TEXT)}


def test_the_page_has_every_row_once_in_order():
    assert [int(match["number"]) for match in page.ROW.finditer(TEXT)] == list(range(1, 99))
    assert len(ROWS) == len(re.findall(r"^\| \d", TEXT, re.MULTILINE))


def test_every_row_says_what_differs_and_what_the_answer_is():
    for number, row in ROWS.items():
        assert row["differs"].strip(), number
        assert row["answer"].strip(), number


def test_every_row_has_a_test_and_every_mark_a_row():
    assert set(page.tests_of_rows()) == set(ROWS)


def test_the_links_are_those_of_the_marks():
    # When this fails: python -m tests.parity.page
    assert page.written(TEXT) == TEXT


def test_every_linked_test_exists():
    folder = page.HERE.parent
    for number, tests in page.tests_of_rows().items():
        for file, name in tests:
            assert name in {function.name for function in page.functions(folder / file)}, (number, file)
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        assert (page.PAGE.parent / target).exists(), target
