"""What is installed is all there is: setup.cfg lists packages and their files by hand, and a wheel has them all."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

PROJECT = Path(__file__).parent.parent
PLACES = {
    "pkg/diglot": "diglot",
    "queries": "diglot/statestore/sql",
    "migrations": "diglot/statestore/migrations",
}
BUILD = "from setuptools.build_meta import build_wheel; build_wheel('out')"


def test_a_wheel_has_every_file_of_the_package_and_both_sql_trees(tmp_path: Path) -> None:
    left_out = shutil.ignore_patterns("__pycache__", "*.egg-info")
    expected: set[str] = set()
    for place, package in PLACES.items():
        shutil.copytree(PROJECT / place, tmp_path / place, ignore=left_out)
        files = (path for path in (tmp_path / place).rglob("*") if path.is_file())
        expected |= {f"{package}/{path.relative_to(tmp_path / place).as_posix()}" for path in files}
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, tmp_path)
    (tmp_path / "out").mkdir()
    built = subprocess.run([sys.executable, "-c", BUILD], cwd=tmp_path, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    (wheel,) = (tmp_path / "out").glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        found = {name for name in opened.namelist() if ".dist-info/" not in name}
    assert found == expected
