"""Rows of a megabyte go through an export and an import a few at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.ops.backup.databases import contents
from tests.ops.test_export import run

ROWS = 300
_PROGRAM = """\
import sys
from datetime import UTC, datetime
from pathlib import Path
from diglot.ops.export import export
from diglot.ops.import_file import import_file
from diglot.stores.url import parse_url
file, source, target = Path(sys.argv[1]), parse_url(sys.argv[2]), parse_url(sys.argv[3])
export(source, file, datetime.now(UTC))
import_file(None, file, target)
lines = Path("/proc/self/status").read_text().splitlines()
print(next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM:")))
"""
"""Not getrusage: its peak is also that of the process that started this one."""


@pytest.mark.sqlite
@pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
def test_large_rows_take_little_memory(tmp_path: Path) -> None:
    urls = []
    for name in ("0.db", "1.db"):
        (tmp_path / name).touch(0o600)
        urls.append(f"sqlite:///{tmp_path}/{name}")
        run(urls[-1], "create table t (id integer not null primary key, x text)")
    fill = f"with recursive g (n) as (select 1 union all select n + 1 from g where n < {ROWS})"
    run(urls[0], f"insert into t {fill} select n, hex(zeroblob(524288)) from g")
    command = [sys.executable, "-c", _PROGRAM, str(tmp_path / "t.jsonl"), *urls]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 200, "megabytes"
    assert contents(urls[1]) == contents(urls[0])
