"""Runs wrk against a service, and gives what it saw."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import msgspec

from benchmarks import data
from benchmarks.data import Data

_SCRIPT = Path(__file__).with_name("requests.lua")


class Question(msgspec.Struct, frozen=True):
    """One request that is asked again and again; ``name`` as in requests.lua."""

    name: str
    title: str


QUESTIONS = [
    Question("nothing", "GET /healthz: no key, no database"),
    Question("me", "GET /auth/me"),
    Question("workflow", "GET /workflows/{exec_id}"),
    Question("page", "GET /workflows?limit=50"),
    Question("put", "PUT /workflows/{exec_id}"),
]


class Seen(msgspec.Struct, frozen=True):
    """Of one run; times in microseconds."""

    requests: int
    microseconds: int
    p50: int
    p99: int
    longest: int
    failed: int

    @property
    def per_second(self) -> float:
        return self.requests / (self.microseconds / 1e6)


class WrkMissing(Exception):
    """wrk makes the load, and is not on this machine: apt-get install wrk."""


def ask(url: str, question: Question, of: Data, *, connections: int, seconds: int) -> Seen:
    """So many clients ask a question, each the next as soon as the last is answered."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise WrkMissing(WrkMissing.__doc__)
    state = data.workflow(7)
    body = msgspec.json.encode(
        {name: getattr(state, name) for name in ("workflow_id", "status", "input", "output")}
    ).decode()
    command = [wrk, "--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s"]
    arguments = [question.name, of.secret, str(of.executions), body]
    done = subprocess.run(
        [*command, "--script", str(_SCRIPT), url, "--", *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds + 30,
    )
    seen = msgspec.json.decode(done.stdout.splitlines()[-1], type=Seen)
    if seen.failed or not seen.requests:
        raise RuntimeError(f"{question.title}: {seen.failed} of {seen.requests} requests failed\n{done.stdout}")
    return seen
