"""Without room on the disk nothing changes and the error says so. A limit on the size of files takes the place of a
full disk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from diglot.ops.copy import copy
from diglot.ops.export import export
from diglot.ops.import_file import import_file
from diglot.project import Project
from diglot.stores.url import parse_url
from tests.ops.awkward import fill
from tests.ops.backup.databases import NOW, contents

PROGRAM = """\
import resource, sys
from datetime import datetime, UTC
from pathlib import Path
from diglot.ops.copy import copy
from diglot.ops.export import export
from diglot.ops.import_file import import_file
from diglot.project import Project
from diglot.stores.url import parse_url
operation, source, target, limit = sys.argv[2:]
project = Project.find(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit),) * 2)
if operation == "copy":
    copy(project, parse_url(source), parse_url(target), replace=True)
elif operation == "import":
    import_file(project, Path(source), parse_url(target))
else:
    export(parse_url(source), Path(target), datetime.now(UTC))
"""


def run(project: Project, operation: str, source: str, target: str, limit: int) -> str:
    """The last line of the error."""
    command = [sys.executable, "-c", PROGRAM, str(project.file), operation, source, target, str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1, done.stdout
    return done.stderr.splitlines()[-1]


@pytest.mark.sqlite
@pytest.mark.parametrize("operation", ["copy", "import"])
def test_a_database_stays_as_it_was(operation: str, project: Project, tmp_path: Path) -> None:
    urls = [f"sqlite:///{tmp_path}/{name}.db" for name in ("one", "other")]
    fill(urls[0], project)
    with project.open(urls[1]):
        pass
    before = contents(urls[1])
    source = urls[0]
    if operation == "import":
        source = str(tmp_path / "app.jsonl")
        export(parse_url(urls[0]), Path(source), NOW)
    last = run(project, operation, source, urls[1], 400_000)
    assert last.startswith("diglot.errors.DatabaseFull: "), last
    assert contents(urls[1]) == before
    if operation == "copy":
        copy(project, parse_url(urls[0]), parse_url(urls[1]), replace=True)
    else:
        import_file(project, Path(source), parse_url(urls[1]))
    assert contents(urls[1]) == contents(urls[0])


def test_an_export_leaves_no_file(project: Project, urls: tuple[str, str], tmp_path: Path) -> None:
    fill(urls[0], project)
    folder = tmp_path / "exports"
    folder.mkdir()
    last = run(project, "export", urls[0], str(folder / "app.jsonl"), 100_000)
    assert last.startswith("diglot.errors.ExportFailed: "), last
    assert list(folder.iterdir()) == []
