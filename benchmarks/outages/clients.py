"""Clients that write and read without a break, and remember every answer: what was acknowledged must be there later."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from diglot.statestore.database import Database
from diglot.statestore.errors import NotFound
from diglot.statestore.ids import new_id

UNKNOWN = "urn:diglot:problem:outcome-unknown"
_PATIENCE = 60.0


class Answer(NamedTuple):
    """What became of one request; ``status`` 0: no answer at all. ``number`` is what a PUT has written, else None."""

    began: float
    seconds: float
    status: int
    problem: str
    exec_id: str
    number: int | None

    @property
    def ended(self) -> float:
        return self.began + self.seconds


class Clients:
    """So many that write and that read, each in a thread; ``pause`` seconds from an answer to the next request.

    A writer has new executions of its own, each of which it writes twice.
    """

    def __init__(self, url: str, key: str, *, writers: int, readers: int, pause: float, timeout: float) -> None:
        self._address = urlsplit(url).netloc
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._name = new_id()
        self._pause = pause
        self._timeout = timeout
        self._stop = threading.Event()
        self.answers: list[Answer] = []
        self._threads = [threading.Thread(target=self._write, args=(number,)) for number in range(writers)]
        self._threads += [threading.Thread(target=self._read) for _ in range(readers)]

    def wait_for(self, what: str, condition: Callable[[list[Answer]], bool]) -> None:
        """Until the answers fulfil this. RuntimeError, with ``what``, when they don't."""
        deadline = time.monotonic() + _PATIENCE
        while not condition(self.answers):
            if time.monotonic() > deadline:
                raise RuntimeError(f"in {_PATIENCE:g} s it did not come to this: {what}")
            time.sleep(0.01)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _write(self, writer: int) -> None:
        number = 0

        def request() -> tuple[str, str, str, int | None]:
            nonlocal number
            number += 1
            exec_id = f"{self._name}-{writer}-{(number + 1) // 2}"
            body = {"workflow_id": "outage", "status": "SUCCESS", "input": {"number": number}}
            return "PUT", exec_id, json.dumps(body), number

        self._ask_on(request)

    def _read(self) -> None:
        self._ask_on(lambda: ("GET", "", "", None))

    def _ask_on(self, request: Callable[[], tuple[str, str, str, int | None]]) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=self._timeout)
        while not self._stop.is_set():
            method, exec_id, body, number = request()
            path = f"/api/v0/workflows/{exec_id}" if exec_id else "/api/v0/workflows?limit=5"
            began = time.monotonic()
            status, problem = 0, ""
            try:
                connection.request(method, path, body or None, self._headers)
                response = connection.getresponse()
                content = response.read()
                status = response.status
                problem = "" if status < 400 else str(json.loads(content)["type"])
            except (OSError, http.client.HTTPException):
                connection.close()
            self.answers.append(Answer(began, time.monotonic() - began, status, problem, exec_id, number))
            self._stop.wait(self._pause)
        connection.close()


class Kept(NamedTuple):
    """Writes that were acknowledged, those of them that are gone; writes of unknown outcome, those that are there."""

    acknowledged: int
    lost: int
    unknown: int
    unknown_but_stored: int


def kept(answers: list[Answer], database: Database) -> Kept:
    """Compare what was answered with what is stored: an execution holds what it was given last, or later."""
    writes = [answer for answer in answers if answer.number is not None]
    stored = {exec_id: _stored(database, exec_id) for exec_id in {answer.exec_id for answer in writes}}
    there = [(answer, stored[answer.exec_id] >= (answer.number or 0)) for answer in writes]
    acknowledged = [found for answer, found in there if answer.status in (200, 201)]
    unknown = [found for answer, found in there if answer.problem == UNKNOWN or answer.status == 0]
    return Kept(len(acknowledged), acknowledged.count(False), len(unknown), unknown.count(True))


def _stored(database: Database, exec_id: str) -> int:
    try:
        found: dict[str, Any] = database.workflows.get(exec_id, with_tasks=False).input or {}
    except NotFound:
        return 0
    return int(found["number"])
