"""What does not depend on a contender: Diglot's memory while it lists everything page by page, and its import time.

Each is measured in an interpreter of its own. ``python -m benchmarks.memory URL`` is that interpreter.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from typing import NamedTuple

from benchmarks import data
from benchmarks.databases import Place
from diglot.statestore.models import TaskState

PAGE = 1000
TASKS_EACH = 500
IMPORT_TARGET = 0.150


class Peak(NamedTuple):
    """``python`` is the most that Python's allocator held, ``process`` the process's largest resident size; bytes."""

    rows: int
    python: int
    process: int


def listing(place: Place, rows: int) -> Peak:
    """List this many tasks of a new database, 1,000 a page, without keeping them."""
    url = place.new()
    place.insert(url, map(data.workflow, range(rows // TASKS_EACH)), _tasks(rows))
    # Once for the size of the process, and once, much slower, for what Python allocates.
    process, python = (json.loads(_run("-m", "benchmarks.memory", url, how)) for how in ("process", "python"))
    assert process["rows"] == python["rows"] == rows
    return Peak(rows, python["peak"], process["peak"])


def does_not_grow(few: Peak, many: Peak) -> bool:
    """Whether the larger listing took as much as the smaller one, give or take a twentieth."""
    return many.python <= few.python * 1.05 and many.process <= few.process * 1.05


def import_seconds(times: int) -> float:
    """The median time of importing ``diglot.statestore.open`` in a fresh interpreter, after one that compiled it."""
    code = (
        "from time import perf_counter as now; begin = now(); "
        "from diglot import statestore; statestore.open; print(now() - begin)"
    )
    return statistics.median([float(_run("-c", code)) for _ in range(times + 1)][1:])


def interpreter_seconds(times: int) -> float:
    """The median time of an interpreter that does nothing, for comparison."""

    def one() -> float:
        begin = time.perf_counter()
        _run("-c", "pass")
        return time.perf_counter() - begin

    return statistics.median(one() for _ in range(times))


def _tasks(rows: int) -> Iterator[TaskState]:
    for number in range(rows):
        execution, step = divmod(number, TASKS_EACH)
        yield data.task(execution, step)


def _run(*arguments: str) -> str:
    return subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


def _list(url: str, how: str) -> dict[str, int]:
    from diglot import statestore

    with statestore.open(url, migrate=False) as db:
        if how == "python":
            tracemalloc.start()
        rows, after = 0, None
        while True:
            page = db.tasks.list(limit=PAGE, after=after)
            rows += len(page.items)
            after = page.next
            if after is None:
                break
        peak = tracemalloc.get_traced_memory()[1] if how == "python" else _resident()
    return {"rows": rows, "peak": peak}


def _resident() -> int:
    """The largest size that this process had; Linux's own count, since getrusage's includes the parent's."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    print(json.dumps(_list(sys.argv[1], sys.argv[2])))
