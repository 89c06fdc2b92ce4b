"""The commands of backups, from the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from diglot.ops.backup import backups_in
from diglot.project import Project
from tests.cli.running import diglot
from tests.ops.backup.databases import server_of


def test_the_commands(filled: str, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.folder)
    path = str(tmp_path / "app.backup")
    made = diglot("backup", path, "--database-url", filled)
    assert (made.code, made.err) == (0, "")
    assert "38 rows in 3 tables" in made.out
    again = diglot("backup", path, "--database-url", filled)
    assert (again.code, again.err.count("\n")) == (2, 1)
    checked = diglot("backup", "verify", path, *(["--postgres-url", filled] if server_of(filled) else []))
    assert checked.code == 0
    assert "good: 38 rows" in checked.out
    refused = diglot("restore", path, "--database-url", filled)
    assert refused.code == 2
    assert "is not empty" in refused.err
    asked = diglot("restore", path, "--replace", "--database-url", filled)
    assert asked.code == 1
    assert "confirm with --yes" in asked.err
    done = diglot("restore", path, "--replace", "--yes", "--database-url", filled, "--format", "json")
    assert done.json["manifest"]["tables"]["players"]["rows"] == 30
    kept = diglot("backup", "--keep", "2", str(tmp_path / "folder"), "--database-url", filled)
    assert kept.code == 0
    missing = diglot("backup", "verify", str(tmp_path / "none"))
    assert (missing.code, missing.err.count("\n")) == (1, 1)


PRIORITY = """\
import atexit, os, sys
atexit.register(lambda: print("priority", os.nice(0)))
from diglot.cli.main import main
sys.exit(main())
"""


def test_a_backup_has_the_lowest_priority(filled: str, tmp_path: Path) -> None:
    arguments = ["--database-url", filled, "backup", str(tmp_path / "app.backup")]
    command = [sys.executable, "-c", PRIORITY, *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "priority 19"


def test_a_program_that_calls_the_command_keeps_its_priority(filled: str, tmp_path: Path) -> None:
    before = os.nice(0)
    assert diglot("backup", str(tmp_path / "app.backup"), "--database-url", filled).code == 0
    assert os.nice(0) == before


def test_paths_may_lead_through_the_folder_above(filled: str, project: Project, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    above = tmp_path / "inner" / ".." / "kept"
    assert diglot("backup", "--keep", "2", str(above), "--database-url", filled).code == 0
    (made,) = backups_in(tmp_path / "kept")
    server = ["--postgres-url", filled] if server_of(filled) else []
    assert diglot("backup", "verify", str(above / made.name), *server).code == 0
    exported = tmp_path / "inner" / ".." / "app.jsonl"
    assert diglot("export", str(exported), "--database-url", filled).code == 0
    assert (tmp_path / "app.jsonl").is_file()
