r"""Records a pytest run as a WfFormat 1.5 trace. The trace that comes with Diglot was made with

    python examples/record_trace.py pkg/diglot/statestore/trace/own-test-run.json -n 2 tests/test_databases.py \
        tests/statestore/trace/test_latency.py

and examples/recorded-test-run.json, which is larger, with the tests that its description names.

Everything after the file is for pytest. A trace is only written when every test has passed.

What the trace says is what happened. Tasks: the collection of each worker; each set-up of a fixture that outlives one
test (session, package, module, class); each test, without those set-ups; and the gathering of the results. Edges: a
test or a fixture needs the collection of its worker and the wide fixtures that it used; the gathering needs all
tests. That tests of one worker ran one after the other is no dependency, so it is told by times (``executedAt``) and
machines, not by edges. ``memoryInBytes`` is the peak of the worker's resident memory during the task (Linux), avgCPU
counts the worker and the children that it waited for. Workers are called worker-1, worker-2 …: no name of a machine, a
user or a folder gets into the file, or it is not written.
"""

from __future__ import annotations

import getpass
import json
import re
import resource
import socket
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

Record = dict[str, Any]
SYSTEMS = {"linux": "linux", "darwin": "macos", "win32": "windows"}


def main(arguments: list[str]) -> int:
    """Run pytest with this file as a plugin; its exit code."""
    if not arguments or arguments[0].startswith("-"):
        print("usage: python examples/record_trace.py FILE [PYTEST ARGUMENTS …]", file=sys.stderr)
        return 2
    file, *rest = arguments
    return int(pytest.main(["-p", Path(__file__).stem, f"--record-trace={file}", *rest]))


# --- the pytest plugin -------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record-trace", metavar="FILE", help="write the run to this file as a WfFormat 1.5 trace")


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("--record-trace"):
        return
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        name = f"worker-{int(worker['workerid'].removeprefix('gw')) + 1}"
        config.pluginmanager.register(Recorder(config, name))
        return
    gatherer = Gatherer(config)
    config.pluginmanager.register(gatherer)
    if not getattr(config.option, "numprocesses", None):  # no xdist: this process runs the tests itself
        config.pluginmanager.register(Recorder(config, "worker-1", gatherer))


class Recorder:
    """In each process that runs tests: measures every task and keeps a record of it."""

    def __init__(self, config: pytest.Config, machine: str, gatherer: Gatherer | None = None) -> None:
        self._config, self._machine, self._gatherer = config, machine, gatherer
        self._collecting = Stopwatch()
        self.records: list[Record] = []
        self._in_force: dict[str, str] = {}  # wide fixtures: name to the id of the latest set-up
        self._during: list[list[Record]] = []  # set-ups inside the test or set-up that is running, a list a level
        self._used: list[str] = []

    def pytest_collection_finish(self) -> None:
        self._keep(f"collection.{self._machine}", "collection", self._collecting.stop(), parents=[])

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, Any, Any]:
        if fixturedef.scope == "function":
            return (yield)
        with self._measured() as (watch, inside):
            result = yield
        needed = [self._in_force[name] for name in fixturedef.argnames if name in self._in_force]
        record = self._keep(
            f"{fixturedef.argname}.{self._machine}",
            "fixtures",
            watch.stop(inside),
            parents=[*needed, *(record["id"] for record in inside)],
        )
        self._in_force[fixturedef.argname] = record["id"]
        for level in self._during:
            level.append(record)
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        self._used = []
        with self._measured() as (watch, inside):
            result = yield
        path, _, test = item.nodeid.partition("::")
        record = self._keep(
            test.replace("::", "."),
            path,
            watch.stop(inside),
            parents=[self._in_force[name] for name in self._used if name in self._in_force],
            arguments=[item.nodeid],
        )
        record["file"], record["size"] = path, item.path.stat().st_size
        return result

    @pytest.fixture(autouse=True)
    def fixtures_of_the_test(self, request: pytest.FixtureRequest) -> Iterator[None]:
        """The first to be set up, so the last to end, when all that the test has asked for is known."""
        yield
        self._used = list(request.fixturenames)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        if self._gatherer is not None:
            self._gatherer.records += self.records
        else:
            self._config.workeroutput["recorded"] = self.records  # type: ignore[attr-defined]

    @contextmanager
    def _measured(self) -> Iterator[tuple[Stopwatch, list[Record]]]:
        inside: list[Record] = []
        self._during.append(inside)
        try:
            yield Stopwatch(), inside
        finally:
            self._during.pop()

    def _keep(
        self, id: str, name: str, measured: Record, parents: list[str], arguments: list[str] | None = None
    ) -> Record:
        collection = [] if name == "collection" else [f"collection.{self._machine}"]
        taken = {record["id"] for record in self.records}
        record = {
            "id": distinct(f"{id}", taken),
            "name": name,
            "parents": list(dict.fromkeys([*collection, *parents])),
            "machine": self._machine,
            "arguments": arguments or [],
            **measured,
        }
        self.records.append(record)
        return record


class Stopwatch:
    """Measures what this process does from now on."""

    def __init__(self) -> None:
        forget_peak_memory()
        self._clock, self._started = time.perf_counter(), time.time()
        self._cpu, self._io = cpu_seconds(), bytes_moved()

    def stop(self, inside: list[Record] | None = None) -> Record:
        """What was used since, without the tasks that were measured on their own in between."""
        inside = inside or []
        wall, cpu = time.perf_counter() - self._clock, cpu_seconds() - self._cpu
        read, written = (now - then for now, then in zip(bytes_moved(), self._io, strict=True))
        return {
            "started": max([self._started, *(record["ended"] for record in inside)]),
            "ended": time.time(),
            "seconds": max(0.0, wall - sum(record["seconds"] for record in inside)),
            "cpu": max(0.0, cpu - sum(record["cpu"] for record in inside)),
            "read": max(0, read - sum(record["read"] for record in inside)),
            "written": max(0, written - sum(record["written"] for record in inside)),
            "memory": peak_memory(),
        }


class Gatherer:
    """In the process that was started: puts together what the workers have recorded, and writes the trace."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.records: list[Record] = []

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self.records += getattr(node, "workeroutput", {}).get("recorded", [])

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self, config: pytest.Config) -> None:
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        bad = sum(len(reporter.stats.get(kind, [])) for kind in ("failed", "error")) if reporter else 0
        file = Path(config.getoption("--record-trace"))
        if bad or not any(record["arguments"] for record in self.records):
            print(f"{file} was not written: {bad} tests failed" if bad else f"{file} was not written: no tests")
            return
        text = json.dumps(self._trace(), indent=1) + "\n"
        told = [word for word in private_words() if word in text]
        if told:
            print(f"{file} was not written: it would tell {told[0]!r}")
            return
        file.write_text(text)
        print(f"{file}: {len(self.records)} tasks")

    def _trace(self) -> Record:
        watch = Stopwatch()
        self.records.sort(key=lambda record: record["started"])
        ids = self._distinct_ids()
        for record in self.records:
            record["parents"] = [ids[record["machine"], parent] for parent in record["parents"]]
            record["id"] = ids[record["machine"], record["id"]]
        files = {identifier(record["file"]): record["size"] for record in self.records if record.get("file")}
        tests = [record["id"] for record in self.records if record["arguments"]]
        begun = min(record["started"] for record in self.records)
        gathering = {"id": "gathering", "name": "results", "parents": tests, "machine": "controller"}
        self.records.append({**gathering, "arguments": [], **watch.stop()})
        makespan = max(record["ended"] for record in self.records) - begun
        arguments = [word for word in self._config.invocation_params.args if not str(word).startswith("--record")]
        return {
            "name": Path(self._config.getoption("--record-trace")).stem,
            "description": "A real test run, recorded by examples/record_trace.py: pytest "
            + " ".join(str(word) for word in arguments[2:]),
            "createdAt": timestamp(time.time()),
            "schemaVersion": "1.5",
            "runtimeSystem": {"name": "pytest", "version": pytest.__version__, "url": "https://pytest.org"},
            "workflow": {
                "specification": {
                    "tasks": [self._specified(record) for record in self.records],
                    "files": [{"id": id, "sizeInBytes": size} for id, size in files.items()],
                },
                "execution": {
                    "makespanInSeconds": round(makespan, 6),
                    "executedAt": timestamp(begun),
                    "tasks": [executed(record) for record in self.records],
                    "machines": [
                        {"nodeName": name, "system": SYSTEMS.get(sys.platform, "linux")}
                        for name in sorted({record["machine"] for record in self.records})
                    ],
                },
            },
        }

    def _distinct_ids(self) -> dict[tuple[str, str], str]:
        """The ids of the workers made distinct among all, in the letters that the format allows."""
        ids: dict[tuple[str, str], str] = {}
        taken: set[str] = set()
        for record in self.records:
            id = distinct(identifier(record["id"]), taken)
            taken.add(id)
            ids[record["machine"], record["id"]] = id
        return ids

    def _specified(self, record: Record) -> Record:
        children = [other["id"] for other in self.records if record["id"] in other["parents"]]
        return {
            "name": record["name"],
            "id": record["id"],
            "parents": record["parents"],
            "children": children,
            "inputFiles": [identifier(record["file"])] if record.get("file") else [],
            "outputFiles": [],
        }


def executed(record: Record) -> Record:
    return {
        "id": record["id"],
        "runtimeInSeconds": round(record["seconds"], 6),
        "executedAt": timestamp(record["started"]),
        "command": {"program": "pytest", "arguments": record["arguments"]},
        "avgCPU": round(100 * record["cpu"] / record["seconds"], 2) if record["seconds"] else 0.0,
        "readBytes": record["read"],
        "writtenBytes": record["written"],
        "memoryInBytes": record["memory"],
        "machines": [record["machine"]],
    }


# --- words and numbers -------------------------------------------------------------------------------------------


def identifier(text: str) -> str:
    """Letters, digits, ``-``, ``_`` and ``.`` only, at most 200."""
    return re.sub(r"[^0-9A-Za-z_.-]+", "-", text).strip("-")[:200]


def distinct(name: str, taken: set[str]) -> str:
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    return found


def timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def private_words() -> list[str]:
    """What must not stand in a trace that is shown to others."""
    words = {socket.gethostname(), str(Path.home()), str(Path.cwd()), getpass.getuser()}
    return sorted(word for word in words if len(word) >= 5)


def cpu_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def bytes_moved() -> tuple[int, int]:
    """Bytes that this process has read and written so far; zeros where the system does not tell."""
    try:
        lines = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
        return int(lines["rchar"]), int(lines["wchar"])
    except OSError:
        return 0, 0


def forget_peak_memory() -> None:
    """From now on the peak is that of what follows. Only Linux can; elsewhere the peak is that of the whole run."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def peak_memory() -> int:
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
        if found:
            return int(found[1]) * 1024
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
