"""Header keys mean what they say, and whatever looks like one but is none is an error with its line."""

from __future__ import annotations

import re

import pytest

from diglot.migrate.header import Header, read_header


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("", Header()),
        ("-- Why.\n\nselect 1;\n", Header(has_statements=True)),
        ("-- transactional: false\nselect 1;", Header(transactional=False, has_statements=True)),
        ("--transactional:true\n", Header()),
        ("-- Why.\n-- depends: a b\n-- More.\n", Header(depends=((2, "a"), (2, "b")))),
        ("-- The newest, and of both: one of each.\n-- See https://example.org/x\n", Header()),
        ("-- A word: it is prose when it is not the only one before the colon.\n", Header()),
    ],
    ids=["empty", "prose", "transactional", "tight", "depends", "colon-in-prose", "words-before-colon"],
)
def test_header_is_read(text: str, header: Header) -> None:
    assert read_header(text, "f") == header


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("-- transactionnal: false", "write '-- transactional: …'"),
        ("-- Transactional: false", "write '-- transactional: …'"),
        ("-- transactional = false", "write '-- transactional: …'"),
        ("-- transactional false", "write '-- transactional: false'"),
        ("-- transactional: no", "true or false, not 'no'"),
        ("-- transactional: False", "true or false, not 'False'"),
        ("-- transactional:", "true or false, not ''"),
        ("-- depend: x", "write '-- depends: …'"),
        ("-- depends:", "names no migration"),
        ("-- requires: x", "unknown key 'requires:'"),
        ("-- rollback: nothing because", "belongs in the rollback file"),
        ("-- transactional: true\n-- transactional: false", "appears twice"),
    ],
)
def test_a_key_that_is_not_right_is_refused(line: str, problem: str) -> None:
    mistake = read_header(f"-- Why.\n{line}\nselect 1;", "f.sql").mistake
    assert re.match(rf"f\.sql:\d: .*{problem}", mistake or "")


def test_a_key_below_the_first_statement_is_refused() -> None:
    header = read_header("select 1;\n-- transactional: false\n-- Note: prose is free here\n", "f.sql")
    assert header.mistake == "f.sql:2: 'transactional' must come before the first statement"


def test_a_rollback_file_gives_its_reason() -> None:
    header = read_header("-- rollback: nothing because it only fills in a default\n", "f", rollback=True)
    assert header == Header(nothing="it only fills in a default")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("-- rollback: nothing", "with the reason"),
        ("-- rollback: nothing because", "with the reason"),
        ("-- transactional: false", "belongs in the migration's file"),
        ("-- roll-back: nothing because x", "write '-- rollback: …'"),
    ],
)
def test_a_rollback_header_that_is_not_right_is_refused(line: str, problem: str) -> None:
    mistake = read_header(line, "f", rollback=True).mistake
    assert problem in (mistake or "")


@pytest.mark.parametrize("line", ["-- Transactional: False", "select 1;\n-- transactional: false"])
def test_what_yoyo_reads_holds_though_it_is_a_mistake_in_our_layout(line: str) -> None:
    header = read_header(line, "f")
    assert (header.transactional, header.mistake is None) == (False, False)
