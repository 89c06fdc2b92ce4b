"""`make test`: the whole suite in parallel, then what does not need PostgreSQL again on the other SQLite library.

Two SQLite libraries on one file in one process break its locks, so each library has a run of its own. Coverage is
measured in every Python process that a test starts, and its minimum (pyproject.toml) is asked of a full run only:
`python -m tests.run tests/stores -k pool` runs a part without it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parent.parent
NO_TESTS = 5
SUMMARY = "DIGLOT_TEST_SUMMARY"
WITHOUT_POSTGRES = "DIGLOT_TEST_WITHOUT_POSTGRES"


def main(arguments: list[str]) -> int:
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="diglot-run-") as folder:
        lines, failed = [], False
        for library in ("pysqlite3", "stdlib") if find_spec("pysqlite3") else ("stdlib",):
            first = not lines
            line, ok = _run(library, first, arguments, Path(folder))
            lines.append(line)
            failed |= not ok
        if not arguments:
            line, ok = _coverage(Path(folder))
            lines.append(line)
            failed |= not ok
    lines.append(f"{'FAILED' if failed else 'passed'} in {time.monotonic() - started:.0f} s")
    print("", *lines, sep="\n")
    return int(failed)


def _run(library: str, first: bool, arguments: list[str], folder: Path) -> tuple[str, bool]:
    name = f"SQLite of {library}" + (" and PostgreSQL" if first else "")
    print(f"\n── {name}", flush=True)
    summary = folder / f"{library}.json"
    environment = {**os.environ, SUMMARY: str(summary), "DIGLOT_SQLITE_LIBRARY": library}
    if not first:
        environment[WITHOUT_POSTGRES] = "1"
    if not arguments:
        # Read by coverage's own start-up file in each Python process, whatever its working directory.
        environment["COVERAGE_PROCESS_START"] = str(PROJECT / "pyproject.toml")
        environment["COVERAGE_FILE"] = str(folder / "coverage")
    parallel = ["-n", os.environ.get("WORKERS", "logical").replace("auto", "logical"), "--dist", "worksteal"]
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
    """In the second run, leave out what the other SQLite library can't change."""
    if WITHOUT_POSTGRES in os.environ:
        left_out = [item for item in items if item.get_closest_marker("postgres")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("postgres")]


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
