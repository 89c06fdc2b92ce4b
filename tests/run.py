"""`make test`: the whole suite in parallel, in two runs that take the new and the old of each database.

First everything on a current SQLite (pysqlite3) and PostgreSQL 18; then what runs on a database again on the standard
library's SQLite and PostgreSQL 16. Two SQLite libraries on one file in one process break its locks, so each has a run
of its own. `--coverage` (`make test COVERAGE=1`, as CI does; it costs a third of the time) measures it in the first and
asks for the minimum of pyproject.toml. `--reduced` is for one more Python version: the first run alone, without the
tests that take long and are the same on every Python. Other arguments are pytest's:
`python -m tests.run tests/stores -k pool`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parent.parent
NO_TESTS = 5
COVERAGE = "--coverage"
REDUCED = "--reduced"
SUMMARY = "DIGLOT_TEST_SUMMARY"
PART = "DIGLOT_TEST_PART"
POSTGRES_OF = {"all": "PostgreSQL", "new": "PostgreSQL 18", "old": "PostgreSQL 16", "reduced": "PostgreSQL 18"}
if os.environ.get("DIGLOT_TEST_POSTGRES_URLS"):
    POSTGRES_OF = {"all": "PostgreSQL", "new": "PostgreSQL", "old": "no PostgreSQL", "reduced": "PostgreSQL"}
LEFT_OUT = ("browser", "once")


def main(arguments: list[str]) -> int:
    started = time.monotonic()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it, and so its children
    runs = [("stdlib", "all")]
    if find_spec("pysqlite3"):
        runs = [("pysqlite3", "new"), ("stdlib", "old")]
    coverage, reduced = COVERAGE in arguments, REDUCED in arguments
    arguments = [a for a in arguments if a not in (COVERAGE, REDUCED)]
    if reduced:
        runs = [(runs[0][0], "reduced")]
    lines, failed = [], False
    with tempfile.TemporaryDirectory(prefix="diglot-run-") as folder:
        for library, part in runs:
            line, ok = _run(library, part, arguments, Path(folder), coverage and part != "old")
            lines.append(line)
            failed |= not ok
        if coverage:
            line, ok = _coverage(Path(folder))
            lines.append(line)
            failed |= not ok
    if reduced:
        marks = " or ".join(map(repr, LEFT_OUT))
        lines.append(f"left out: the tests marked {marks}, and the run on the other SQLite and PostgreSQL 16")
    lines.append(f"{'FAILED' if failed else 'passed'} in {time.monotonic() - started:.0f} s")
    print("", *lines, sep="\n")
    return int(failed)


def _run(library: str, part: str, arguments: list[str], folder: Path, coverage: bool) -> tuple[str, bool]:
    name = f"SQLite of {library}, {POSTGRES_OF[part]}"
    print(f"\n── {name}", flush=True)
    summary = folder / f"{part}.json"
    environment = {**os.environ, SUMMARY: str(summary), "DIGLOT_SQLITE_LIBRARY": library, PART: part}
    # Hundreds of processes import the same modules: each is compiled once, whatever the shell says of it.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    if coverage:
        # Read by coverage's own start-up file in each Python process, whatever its working directory.
        environment["COVERAGE_PROCESS_START"] = str(PROJECT / "pyproject.toml")
        environment["COVERAGE_FILE"] = str(folder / "coverage")
    # One more than there are processors: tests wait for servers and disks a third of their time.
    workers = os.environ.get("WORKERS") or str((os.cpu_count() or 1) + 1)
    parallel = ["-n", workers, "--dist", "worksteal"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.run", *parallel, *arguments]
    done = subprocess.run(command, cwd=PROJECT, env=environment)
    counts = json.loads(summary.read_text()) if summary.exists() else {}
    ok = done.returncode == 0 or (done.returncode == NO_TESTS and bool(arguments))
    said = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
    return f"{name}: {said or 'no test ran'}", ok


def _coverage(folder: Path) -> tuple[str, bool]:
    environment = {**os.environ, "COVERAGE_FILE": str(folder / "coverage")}
    coverage = [sys.executable, "-m", "coverage"]
    subprocess.run([*coverage, "combine", "-q", str(folder)], cwd=PROJECT, env=environment, check=True)
    report = subprocess.run([*coverage, "report"], cwd=PROJECT, env=environment, text=True, stdout=subprocess.PIPE)
    print("", report.stdout, sep="\n")
    total = next((line for line in report.stdout.splitlines() if line.startswith("TOTAL")), "TOTAL ?").split()[-1]
    return f"coverage of lines and branches: {total}", report.returncode == 0


# --- loaded by pytest, too (-p tests.run) ------------------------------------------------------------------


def pytest_collection_modifyitems(config: Any, items: list[Any]) -> None:
    """The second run takes what runs on SQLite or on the older PostgreSQL, the first leaves the latter to it."""
    part = os.environ.get(PART, "all")

    def wanted(item: Any) -> bool:
        older = item.get_closest_marker("older") is not None
        if part == "all":
            return True
        if part == "old":
            return older or item.get_closest_marker("sqlite") is not None
        return not older and (part == "new" or not any(map(item.get_closest_marker, LEFT_OUT)))

    config.hook.pytest_deselected(items=[item for item in items if not wanted(item)])
    items[:] = filter(wanted, items)
    _longest_first(items)


def _longest_first(items: list[Any]) -> None:
    """Workers begin with the long tests, so that none is left with one when the others have finished.

    Each worker is given a stretch of the list, and what it has not begun may be taken from the end of its stretch by
    another. The first stretch begins with the tests that need a browser, which so start one for a module; the others
    begin with their share of the long ones.
    """
    stretches: list[list[Any]] = [[] for _ in range(int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))]
    browser = [item for item in items if item.get_closest_marker("browser")]
    once = [item for item in items if item.get_closest_marker("once")]
    rest = [item for item in items if not item.get_closest_marker("browser") and not item.get_closest_marker("once")]
    stretches[0] += browser
    for number, item in enumerate(once):
        stretches[-1 - number % max(1, len(stretches) - 1)].append(item)
    length = -(-len(items) // len(stretches))
    for stretch in stretches:
        missing = max(0, length - len(stretch))
        stretch += rest[:missing]
        rest = rest[missing:]
    items[:] = [item for stretch in stretches for item in stretch] + rest


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Leave the numbers of this run where main() finds them."""
    kinds = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")
    counts = {kind: len(terminalreporter.stats.get(kind, [])) for kind in kinds}
    if SUMMARY in os.environ:
        Path(os.environ[SUMMARY]).write_text(json.dumps(counts))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
