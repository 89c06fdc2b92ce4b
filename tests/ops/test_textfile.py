"""What a timer's command leaves for Prometheus: whole or not at all, and a failure does not erase the last success."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from diglot.cli.main import Terminated
from diglot.cli.metrics_option import publishing
from diglot.ops.textfile import FIGURES, METRICS, Operation, publish, published
from tests.cli.running import diglot

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "nightly.prom"


def run(path: Path, operation: Operation = "backup", *, minutes: int = 0, ok: bool = True, **figures: float) -> None:
    started = NOON + timedelta(minutes=minutes)
    publish(path, operation, started=started, ended=started + timedelta(seconds=90), ok=ok, figures=figures)


def parsed(path: Path) -> dict[str, float]:
    """As Prometheus reads it: name to value; every family has a help and a type, every sample the file's label."""
    found = {}
    for family in text_string_to_metric_families(path.read_text()):
        assert (family.type, family.documentation) == ("gauge", METRICS[family.name])
        (sample,) = family.samples
        assert sample.labels == {"file": path.stem}
        found[sample.name] = sample.value
    return found


def test_prometheus_reads_what_was_published(path: Path) -> None:
    run(path, size_bytes=12_345_678_901_234, rows=3)
    assert parsed(path) == {
        "diglot_backup_last_run_timestamp_seconds": NOON.timestamp() + 90,
        "diglot_backup_last_run_duration_seconds": 90,
        "diglot_backup_last_run_success": 1,
        "diglot_backup_last_success_timestamp_seconds": NOON.timestamp() + 90,
        "diglot_backup_last_size_bytes": 12_345_678_901_234,
        "diglot_backup_last_rows": 3,
    }
    assert published(path) == parsed(path)


def test_a_failure_keeps_the_time_and_the_figures_of_the_last_success(path: Path) -> None:
    run(path, size_bytes=7)
    run(path, minutes=60, ok=False)
    found = parsed(path)
    assert found["diglot_backup_last_run_success"] == 0
    assert found["diglot_backup_last_run_timestamp_seconds"] == NOON.timestamp() + 3690
    assert found["diglot_backup_last_success_timestamp_seconds"] == NOON.timestamp() + 90
    assert found["diglot_backup_last_size_bytes"] == 7


def test_a_failure_without_a_success_before_claims_none(path: Path) -> None:
    run(path, ok=False)
    assert "diglot_backup_last_success_timestamp_seconds" not in parsed(path)


def test_operations_in_one_file_leave_each_others_metrics_alone(path: Path) -> None:
    for operation in FIGURES:
        run(path, operation, **dict.fromkeys(FIGURES[operation], 1.0))
    assert parsed(path).keys() == METRICS.keys()


def test_processes_that_publish_at_once_lose_nothing(path: Path) -> None:
    for _ in range(10):
        path.unlink(missing_ok=True)
        with ThreadPoolExecutor(len(FIGURES)) as threads:
            list(threads.map(lambda operation: run(path, operation), FIGURES))
        assert {name.split("_")[1] for name in parsed(path)} == set(FIGURES)


def test_a_clock_that_was_set_back_makes_no_negative_duration(path: Path) -> None:
    publish(path, "backup", started=NOON, ended=NOON - timedelta(hours=1), ok=True)
    assert parsed(path)["diglot_backup_last_run_duration_seconds"] == 0


@pytest.mark.parametrize("umask", [0o077, 0o000])
def test_the_collector_may_read_it_and_nobody_else_may_write_it(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        run(path)
        run(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.parametrize(
    "text",
    [
        b"\xff\xfe\x00",
        b'diglot_backup_last_success_timestamp_seconds{file="nightly"} NaN\n',
        b'diglot_backup_last_success_timestamp_seconds{file="nightly"} soon\n',
        b'diglot_backup_last_success_timestamp_seconds{file="nightly"}\n',
        b'up{file="nightly"} 1\n',
    ],
)
def test_what_is_damaged_or_not_ours_is_left_out(path: Path, text: bytes) -> None:
    path.write_bytes(text)
    run(path, ok=False)
    assert parsed(path).keys() == {
        f"diglot_backup_last_run_{name}" for name in ("timestamp_seconds", "duration_seconds", "success")
    }


def test_a_name_that_prometheus_would_misread_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / 'a"b\\c.prom'
    run(path)
    run(path, minutes=1, ok=False)
    assert len(list(text_string_to_metric_families(path.read_text()))) == 4


def test_a_figure_that_is_not_in_the_table_is_refused(path: Path) -> None:
    with pytest.raises(ValueError, match="backup has no figure 'deleted'"):
        run(path, deleted=1)
    assert not path.exists()


def test_a_file_that_can_not_be_written_leaves_the_old_one_and_nothing_beside_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(path)
    before = path.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        run(path, minutes=5)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


# --- the commands ------------------------------------------------------------------------------------------


@contextmanager
def ended_by(error: type[BaseException]) -> Iterator[None]:
    with pytest.raises(error):
        yield


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, Terminated])
def test_whatever_ends_the_work_is_a_failure(path: Path, error: type[BaseException]) -> None:
    run(path)
    with ended_by(error), publishing(path, "backup"):
        raise error
    found = parsed(path)
    assert found["diglot_backup_last_run_success"] == 0
    assert found["diglot_backup_last_success_timestamp_seconds"] == NOON.timestamp() + 90


def test_without_the_option_nothing_is_written(tmp_path: Path) -> None:
    with publishing(None, "backup") as outcome:
        outcome.figures["rows"] = 1
    assert list(tmp_path.iterdir()) == []


def commands(tmp_path: Path) -> dict[Operation, list[str]]:
    return {
        "backup": ["backup", "--keep", "2", str(tmp_path / "backups")],
        "doctor": ["doctor"],
        "prune": ["prune", "--older-than", "30d", "--yes"],
    }


@pytest.mark.parametrize("operation", list(FIGURES))
def test_a_command_publishes_how_it_ended(migrated_url: str, operation: Operation, path: Path, tmp_path: Path) -> None:
    arguments = [*commands(tmp_path)[operation], "--metrics-file", str(path)]
    done = diglot(*arguments, "--database-url", migrated_url)
    assert done.code == 0, done
    found = parsed(path)
    assert found[f"diglot_{operation}_last_run_success"] == 1
    success = found[f"diglot_{operation}_last_success_timestamp_seconds"]
    every = {name for name in METRICS if name.startswith(f"diglot_{operation}_")}
    assert every - found.keys() <= {"diglot_prune_last_freed_bytes"}
    assert diglot(*arguments, "--database-url", f"sqlite:///{tmp_path}/none/none.txt?mode=ro").code != 0
    found = parsed(path)
    assert found[f"diglot_{operation}_last_run_success"] == 0
    assert found[f"diglot_{operation}_last_success_timestamp_seconds"] == success


def test_a_doctor_that_finds_something_wrong_is_no_success(tmp_path: Path, path: Path) -> None:
    file = tmp_path / "app.db"
    file.write_bytes(b"this is not a database" * 1000)
    file.chmod(0o600)
    done = diglot("doctor", "--metrics-file", str(path), "--db-path", str(file))
    assert done.code == 1
    found = parsed(path)
    assert found["diglot_doctor_last_run_success"] == 0
    assert found["diglot_doctor_last_wrong"] >= 1


def test_a_trial_is_no_pruning(migrated_url: str, path: Path) -> None:
    arguments = ["prune", "--older-than", "30d", "--dry-run", "--metrics-file", str(path)]
    assert diglot(*arguments, "--database-url", migrated_url).code == 0
    assert not path.exists()


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("nightly.txt", "does not end in .prom"),
        (".prom", "does not end in .prom"),
        ("none/a.prom", "there is no folder"),
    ],
)
def test_a_file_that_nobody_would_read_is_refused_before_the_work_begins(
    tmp_path: Path, name: str, complaint: str
) -> None:
    done = diglot("backup", "--metrics-file", str(tmp_path / name), str(tmp_path / "app.backup"))
    assert done.code == 2
    assert complaint in done.err
    assert list(tmp_path.iterdir()) == []


def test_metrics_that_can_not_be_written_are_a_warning_and_the_work_is_done(
    migrated_url: str, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_arguments: Any, **_more: Any) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("diglot.ops.textfile.publish", refused)
    done = diglot("backup", "--metrics-file", str(path), str(tmp_path / "app.backup"), "--database-url", migrated_url)
    assert done.code == 0
    assert "warning: no metrics were written" in done.err
    assert (tmp_path / "app.backup").exists()
