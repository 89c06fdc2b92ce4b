"""Killed, or without room: the old state or the new one, and the next call works."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from diglot.ops.backup import backup, backup_to_folder, backups_in
from diglot.ops.private_files import leftovers, temporary_file
from diglot.ops.restore import restore, verify_backup
from diglot.project import Project
from diglot.stores.url import parse_url
from tests.ops.backup.databases import NOW, change, contents, server_of

PROGRAM = """\
import sys
from datetime import datetime, UTC
from pathlib import Path
from diglot.ops.backup import backup_to_folder
from diglot.ops.restore import restore
from diglot.project import Project
from diglot.stores.url import parse_url
project = Project.find(sys.argv[1])
settings = parse_url(sys.argv[2])
print("ready", flush=True)
while True:
    if sys.argv[3] == "backup":
        backup_to_folder(settings, Path(sys.argv[4]), datetime.now(UTC), keep=2)
    else:
        restore(project, Path(sys.argv[4]), settings, replace=True)
"""


def killed_after(seconds: float, *arguments: str) -> None:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


def test_a_killed_restore_leaves_the_old_database_or_the_new_one(filled: str, project: Project, tmp_path: Path) -> None:
    path = backup(parse_url(filled), tmp_path / "app.backup", NOW).path
    new = contents(filled)
    for _ in range(8):
        if contents(filled) == new:
            change(filled)
        old = contents(filled)
        killed_after(random.uniform(0.02, 0.8), str(project.file), filled, "restore", str(path))
        assert contents(filled) in (old, new)
    restore(project, path, parse_url(filled), replace=True)
    assert contents(filled) == new
    assert not list(tmp_path.glob(".diglot-*")), "the next restore removes what killed ones have left"


def test_a_killed_backup_leaves_only_good_ones(filled: str, project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    for _ in range(8):
        killed_after(random.uniform(0.02, 0.8), str(project.file), filled, "backup", str(folder))
    backup_to_folder(parse_url(filled), folder, NOW, keep=9)
    for path in backups_in(folder):
        verify_backup(path, postgres_url=server_of(filled))
    assert not list(folder.glob(".diglot-*")), "the next backup removes what killed ones have left"


def test_leftovers_of_the_dead_are_removed_and_files_of_the_living_are_not(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom diglot.ops.private_files import temporary_file\n"
        "with temporary_file(Path(sys.argv[1])) as path:\n    print(path, flush=True)\n    sys.stdin.read()\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / name)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("dead", "living")
    ]
    paths = [Path(process.stdout.readline().strip()) for process in processes if process.stdout is not None]
    processes[0].kill()
    processes[0].communicate()
    lock = paths[0].with_name(f"{paths[0].name}.lock")
    assert leftovers(tmp_path / "any") == [paths[0], lock]
    with temporary_file(tmp_path / "next"):
        assert not paths[0].exists()
        assert paths[1].exists()
    processes[1].communicate()
    assert leftovers(tmp_path / "any") == []


@pytest.mark.parametrize("operation", ["backup", "restore"])
def test_a_full_disk_leaves_nothing(operation: str, filled: str, project: Project, tmp_path: Path) -> None:
    """A limit on the size of files takes the place of a full disk."""
    folder = tmp_path / "backups"
    folder.mkdir()
    path = backup(parse_url(filled), tmp_path / "app.backup", NOW).path
    before = contents(filled)
    target = folder if operation == "backup" else path
    limit = 100_000 if filled.startswith("sqlite") else 2_000
    program = PROGRAM.replace(
        "print(", f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit},) * 2)\nprint("
    ).replace("while True:", "for _ in range(1):")
    done = subprocess.run(
        [sys.executable, "-c", program, str(project.file), filled, operation, str(target)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(("diglot.errors.DatabaseFull: ", "diglot.errors.BackupFailed: ", _RESTORE_FAILED)), last
    assert list(folder.iterdir()) == []
    assert not list(tmp_path.glob(".diglot-*"))
    assert contents(filled) == before


_RESTORE_FAILED = "diglot.errors.RestoreFailed: "
