"""Reports to Prometheus how the last run of an operation ended, in a file for its node exporter's textfile collector.

publish(Path("/var/lib/diglot-metrics/backup.prom"), "backup", started=…, ended=…, ok=True, figures={"size_bytes": 1})

A command ends before anybody can scrape it, so it leaves a file. The file is replaced atomically: nobody reads it half
written. A failed run keeps the time and the figures of the last success: alerts are about their age.
``prometheus_client`` has such a writer, but it belongs to the service and can't read the old file back.
"""

from __future__ import annotations

import fcntl
import math
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Literal

from diglot.ops.private_files import sync

Operation = Literal["backup", "doctor", "prune"]
READABLE = 0o644
"""The collector runs as another user, and nothing in the file is a secret."""
_OF_EACH = {
    "last_run_timestamp_seconds": "When the last run ended, in seconds since 1970.",
    "last_run_duration_seconds": "How long the last run took.",
    "last_run_success": "Whether the last run was successful: 1, else 0.",
    "last_success_timestamp_seconds": "When the last successful run ended, in seconds since 1970.",
}
FIGURES: Mapping[Operation, Mapping[str, str]] = {
    "backup": {
        "size_bytes": "Bytes of the data in the last backup.",
        "rows": "Rows in the last backup.",
    },
    "doctor": {
        "wrong": "Checks that found something wrong in the last run.",
        "warnings": "Checks that gave a warning in the last run.",
        "unknown": "Checks that could not be made in the last run.",
    },
    "prune": {
        "deleted": "What the last run deleted.",
        "freed_bytes": "Bytes by which the last run made a file smaller.",
    },
}
"""The figures that only one operation has, as in ``diglot_backup_last_size_bytes``."""
METRICS: Mapping[str, str] = {
    f"diglot_{operation}_{name}": text
    for operation, figures in FIGURES.items()
    for name, text in {**_OF_EACH, **{f"last_{figure}": text for figure, text in figures.items()}}.items()
}
"""Every possible metric and its help. All are gauges with one label, ``file``: the file's name without ``.prom``, which
keeps the series of two databases on one machine apart."""
_SAMPLE = re.compile(r'(\w+)\{file="[^"]*"\} (\S+)')


def publish(
    path: Path,
    operation: Operation,
    *,
    started: datetime,
    ended: datetime,
    ok: bool,
    figures: Mapping[str, float] | None = None,
) -> None:
    """Write how a run ended. ``figures``: those of ``FIGURES``; a figure that is not given keeps its value.

    Other operations' metrics in the file stay. Several processes may publish to a file at once. Raises OSError.
    """
    unknown = set(figures or {}) - set(FIGURES[operation])
    if unknown:
        raise ValueError(f"{operation} has no figure {sorted(unknown)[0]!r}")
    news = {
        "last_run_timestamp_seconds": ended.timestamp(),
        "last_run_duration_seconds": max(0.0, (ended - started).total_seconds()),
        "last_run_success": float(ok),
        **({"last_success_timestamp_seconds": ended.timestamp()} if ok else {}),
        **{f"last_{name}": float(value) for name, value in (figures or {}).items()},
    }
    with _alone(path.parent):
        values = {**published(path), **{f"diglot_{operation}_{name}": value for name, value in news.items()}}
        _replace(path, _text(values, path.stem).encode())


def published(path: Path) -> dict[str, float]:
    """The metrics in a file, by name; empty if there is no file. Skips lines that are not ours. Raises OSError."""
    try:
        lines = path.read_text("utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return {}
    found = {}
    for line in lines:
        sample = _SAMPLE.fullmatch(line)
        if sample is not None and sample[1] in METRICS:
            with suppress(ValueError):
                value = float(sample[2])
                if math.isfinite(value):
                    found[sample[1]] = value
    return found


def _text(values: Mapping[str, float], stem: str) -> str:
    label = stem.replace("\\", "\\\\").replace('"', "'").replace("\n", " ")
    return "".join(
        f'# HELP {name} {text}\n# TYPE {name} gauge\n{name}{{file="{label}"}} {values[name]!r}\n'
        for name, text in METRICS.items()
        if name in values
    )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Only one process at a time reads a file in this folder and replaces it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(path: Path, data: bytes) -> None:
    """Writes a file that the collector can read, whatever the umask; its name ends in .prom once it is complete."""
    new = path.with_name(f".{path.stem[:100]}.{secrets.token_hex(4)}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, READABLE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), READABLE)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        sync(path.parent)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
