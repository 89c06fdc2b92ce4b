"""Writes the links of docs/parity.md from the marks of the tests: ``python -m tests.parity.page``. A test compares."""

from __future__ import annotations

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parent.parent / "docs" / "parity.md"
ROW = re.compile(
    r"^\| (?P<number>\d+) \| (?P<differs>[^\n]*?) \| (?P<answer>[^\n]*?) \|(?P<tests>[^|\n]*)\|$", re.MULTILINE
)

# Tests of other folders that hold a row, too.
ELSEWHERE = {
    7: [("migrate/test_constraints.py", "test_checks_refuse_what_they_are_for")],
    18: [("migrate/test_constraints.py", "test_a_value_of_another_type_is_refused")],
    37: [("sql/test_timestamps.py", "test_the_order_of_texts_is_the_order_of_time")],
    41: [("migrate/test_constraints.py", "test_times_that_are_none_are_refused")],
    48: [("migrate/test_constraints.py", "test_columns_that_must_be_there_are_asked_for")],
    51: [("sql/test_canonical_json.py", "test_a_text_from_outside_that_cant_be_kept_is_refused")],
    53: [("sql/test_canonical_json.py", "test_a_float_survives_the_way_jsonb_writes_it")],
    62: [("statestore/repositories/test_validation.py", "test_documents_may_be_64_levels_deep")],
    63: [("migrate/test_constraints.py", "test_malformed_json_is_refused")],
    74: [("migrate/test_constraints.py", "test_keys_are_unique")],
    75: [("migrate/test_constraints.py", "test_references_must_exist")],
    76: [("stores/sqlite/test_connection.py", "test_a_connection_has_every_setting")],
    77: [("statestore/repositories/test_transactions.py", "test_an_error_ends_the_transaction")],
    85: [("sql/test_loader.py", "test_what_is_not_right_in_a_file_is_named_with_its_place")],
    90: [("stores/sqlite/test_connection.py", "test_a_connection_has_every_setting")],
    91: [("migrate/test_schema.py", "test_each_migration_undoes_exactly_what_it_did")],
}


def functions(file: Path) -> list[ast.FunctionDef]:
    return [node for node in ast.parse(file.read_text("utf-8")).body if isinstance(node, ast.FunctionDef)]


def marks(function: ast.FunctionDef) -> list[int]:
    """The rows that the marks of a test name."""
    return [
        ast.literal_eval(row)
        for mark in function.decorator_list
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.parity"
        for row in mark.args
    ]


def tests_of_rows() -> dict[int, list[tuple[str, str]]]:
    """Row → (file below tests/, name of the test), those of this folder first."""
    found: dict[int, list[tuple[str, str]]] = {}
    for file in sorted(HERE.glob("test_*.py")):
        for function in functions(file):
            for row in marks(function):
                found.setdefault(row, []).append((f"parity/{file.name}", function.name))
    for row, elsewhere in ELSEWHERE.items():
        found.setdefault(row, []).extend(elsewhere)
    return found


def written(page: str) -> str:
    """The page with the links as they should be."""
    tests = tests_of_rows()

    def row(match: re.Match[str]) -> str:
        links = " · ".join(
            f"[{name.removeprefix('test_').replace('_', ' ')}](../tests/{file})"
            for file, name in tests.get(int(match["number"]), [])
        )
        return f"| {match['number']} | {match['differs']} | {match['answer']} | {links} |"

    return ROW.sub(row, page)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
