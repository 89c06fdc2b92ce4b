"""docs/service.md names every address, every kind of error and every option: no more, no less."""

import re
from pathlib import Path

from diglot.statestore.cli.start import start
from diglot.statestore.server import problems
from diglot.statestore.server.problems import problem_of
from tests.statestore.server.client import Client

TEXT = (Path(__file__).parents[3] / "docs" / "service.md").read_text()


def test_every_address_is_there(memory: Client) -> None:
    told = set()
    for line in re.findall(r"^\| (`(?:GET|POST)[^|]+)\|", TEXT, re.M):
        methods: list[str] = []
        for word in re.findall(r"[A-Z]+|/[^`, ]+", line):
            if word.startswith("/"):
                told |= {(method, f"/api/v0{word}") for method in methods}
                methods = []
            else:
                methods.append(word)
    told |= {("GET", path) for path in re.findall(r"^\| `(/[a-z]+)` \|", TEXT, re.M)}
    paths = memory.http.get("/schema").json()["paths"]
    assert told == {(method.upper(), path) for path, item in paths.items() for method in item}


def test_every_kind_of_error_is_there() -> None:
    table = TEXT.partition("| Status |")[2].partition("##")[0]
    told = {
        (int(status), kind)
        for status, kinds in re.findall(r"^\| (\d{3}) \| ([^|]+) \|", table, re.M)
        for kind in re.findall(r"`([a-z-]+)`", kinds)
    }
    kinds = {(status, name) for _, name, status, _ in problems._KINDS}
    kinds |= {(503, name) for _, name, _ in problems._OF_DATABASE}
    kinds |= {(status, name) for status, (name, _) in problems._OF_HTTP.items()}
    kinds |= {(found.status, found.type.rpartition(":")[2]) for found in (problems.TIMED_OUT, problem_of(OSError()))}
    assert told == kinds | {(400, "invalid-value"), (503, "busy")}


def test_every_option_is_there() -> None:
    table = TEXT.partition("| Option |")[2]
    told = set(re.findall(r"`(--[a-z-]+)`", table.partition("\n\n")[0]))
    assert told == {name for parameter in start.params for name in parameter.opts if not parameter.hidden}  # type: ignore[attr-defined]
