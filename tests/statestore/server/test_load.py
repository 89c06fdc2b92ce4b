"""The benchmark of the service can't rot: it asks the real program and tells what it saw."""

import json
import shutil
from pathlib import Path

import pytest
from benchmarks import data
from benchmarks.service import __main__ as service
from benchmarks.service import load
from click.testing import CliRunner


@pytest.mark.once
@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is a package of Debian's")
def test_the_command_writes_a_table_and_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "FULL", data.SMALL)
    monkeypatch.setattr(service, "WARM_UP", 0)
    target = tmp_path / "result.json"
    arguments = ["--database", "sqlite", "--only", "put", "--clients", "2", "--seconds", "1", "--json", str(target)]
    done = CliRunner().invoke(service.main, arguments)
    assert done.exit_code == 0, done.output
    assert "PUT /workflows/{exec_id}" in done.output
    (question,) = json.loads(target.read_text())["databases"]["sqlite"]["questions"]
    assert question["clients"]["requests"] > 1
    assert question["clients"]["p50"] <= question["clients"]["p99"] <= question["clients"]["longest"]
    assert question["processor_microseconds"] > 10


def test_a_machine_without_wrk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(load.WrkMissing, match="apt-get install wrk"):
        load.ask("http://127.0.0.1:1", load.QUESTIONS[0], data.SMALL, connections=1, seconds=1)
