"""The log: one line an event, ours and those of libraries alike, and nothing in it that is a secret."""

import json
import logging
import warnings
from typing import Any

import pytest
import structlog

from diglot.statestore.server.logs import logging_to_stderr

CANARY = "a-secret-canary"
KEY = "dgl_AAAABBBBCCCCDDDDEEEE"


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_our_lines_and_those_of_libraries_have_one_form(capsys: pytest.CaptureFixture[str]) -> None:
    bound = structlog.contextvars.bound_contextvars(request_id="r1")
    with warnings.catch_warnings(), logging_to_stderr("json"), bound:
        warnings.simplefilter("always")
        structlog.get_logger("diglot.requests").info("request", status=200, ms=0.5, client=None)
        logging.getLogger("uvicorn").warning("%s of %d", "one", 2)
        warnings.warn("take care", stacklevel=1)
        logging.getLogger("uvicorn").debug("too much")
        structlog.get_logger("diglot").debug("too much")
    ours, library, warned = lines(capsys)
    assert (ours["event"], ours["status"], ours["ms"], ours["client"]) == ("request", 200, 0.5, None)
    assert (ours["level"], ours["logger"], ours["request_id"]) == ("info", "diglot.requests", "r1")
    assert (library["event"], library["level"], library["logger"]) == ("one of 2", "warning", "uvicorn")
    assert library["request_id"] == "r1"
    assert "take care" in warned["event"]
    assert all(line["timestamp"].endswith("Z") for line in (ours, library, warned))


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_secret_is_written(form: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", CANARY)
    with logging_to_stderr(form):
        log = structlog.get_logger("diglot.server")
        log.info(
            f"key {KEY}", path=f"/x/{KEY}", url="postgresql://me:other-canary@host/x", said="Password=other-canary"
        )
        try:
            raise ValueError(f"{CANARY} is wrong", [KEY])
        except ValueError as error:
            log.error("request failed", exc_info=error, values=[CANARY, KEY])
            logging.getLogger("library").exception("it failed")
    written = capsys.readouterr().err
    assert written.count("Traceback") == 2
    assert "***" in written
    assert "canary" not in written
    assert KEY not in written


def test_text_that_is_no_unicode_is_written_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to_stderr("json"):
        structlog.get_logger("diglot").info("file", path="a\udcff")
    assert lines(capsys)[0]["path"] == "a\udcff"
