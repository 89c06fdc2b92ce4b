"""What the log says: one line an event, with the request's id, and never a secret, wherever a client put it."""

from __future__ import annotations

import json
import logging
import re

import pytest
import structlog

from diglot import statestore
from diglot.statestore.repositories.api_keys import ApiKeyRepository
from diglot.statestore.server.logs import logging_to_stderr
from diglot.statestore.server.settings import LogFormat
from tests.statestore.server.client import Client, key_of, serving


@pytest.mark.parametrize("form", ["console", "json"])
def test_no_line_has_a_key_and_none_is_made_up(
    form: LogFormat, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: ApiKeyRepository, id: str) -> None:
        raise RuntimeError(f"{secret} and {id}")

    with statestore.open("sqlite://:memory:") as database, logging_to_stderr(form), serving(database) as http:
        ask = Client(http, secret := key_of(database, "ada@example.org"))
        monkeypatch.setattr(ApiKeyRepository, "revoke", broken)
        ask("GET", f"/workflows/{secret}", headers={"X-Request-ID": secret, "User-Agent": secret})
        ask("GET", f"/auth/me?key={secret}")
        ask("GET", "/%0a2026-01-01T00:00:00Z%20[info]%20made-up%1b[31m")
        mine = ask("GET", "/auth/keys").json()["items"][0]["id"]
        assert ask("DELETE", f"/auth/keys/{mine}").status_code == 500
        logging.getLogger("somebody").warning("password=%s", "hunter2hunter2")
        structlog.get_logger("somebody").warning("ours", secret={"nested": secret})
    said = capsys.readouterr().err
    assert secret not in said
    assert secret[4:40] not in said
    assert "hunter2" not in said
    assert "\x1b" not in said
    assert said.count("dgl_***") >= 4
    assert not re.search(r"^2026-01-01T", said, re.M)
    if form == "json":
        lines = [json.loads(line) for line in said.splitlines()]
        assert {"request", "request failed", "ours"} <= {line["event"] for line in lines}
        assert all(line["request_id"] for line in lines if line["logger"] != "somebody" and "request" in line["event"])
        assert any("RuntimeError" in line.get("exception", "") for line in lines)
