"""The README states only what works: its code runs, its table names every setting, its folders exist."""

from __future__ import annotations

import inspect
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from diglot.config.keys import KEYS
from diglot.database import Database
from diglot.ids import new_id
from diglot.models import TaskState, WorkflowState
from diglot.repositories import rows as repository_rows
from diglot.sql.loader import load_text
from diglot.stores.session import Dialect
from tests.cli.running import diglot

PROJECT = Path(__file__).parent.parent
README = (PROJECT / "README.md").read_text()


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def test_the_python_example_prints_what_it_says(migrated_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = block("python")
    assert '"sqlite:///data/app.db"' in code
    exec(compile(code.replace("sqlite:///data/app.db", migrated_url), "README.md", "exec"), {})  # noqa: S102
    expected = [line.rpartition("# ")[2] for line in code.splitlines() if line.strip().startswith("print(")]
    assert capsys.readouterr().out.splitlines() == expected


def sides() -> dict[Dialect, str]:
    """The query of "Add a query", as it is to be written into each tree."""
    lines = block("sql").splitlines()
    width = lines[0].index("-- queries/sqlite")
    return {
        "postgres": "\n".join(line[:width].rstrip() for line in lines[1:]),
        "sqlite": "\n".join(line[width:] for line in lines[1:]),
    }


def struct_of_the_query() -> str:
    section = README.partition("## Add a query")[2].partition("\n## ")[0]
    return section.partition("```python\n")[2].partition("```")[0]


@pytest.fixture
def project_with_the_query(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of both trees and of the row structs, in which somebody has followed the section."""
    for name in ("queries", "migrations"):
        shutil.copytree(PROJECT / name, tmp_path / name)
    for dialect, text in sides().items():
        with (tmp_path / "queries" / dialect / "tasks.sql").open("a") as file:
            file.write(f"\n{text}\n")
    shutil.copytree(PROJECT / "queries/postgres/vectors", tmp_path / "vectors")
    shutil.rmtree(tmp_path / "queries/postgres/vectors")
    rows = Path(inspect.getsourcefile(repository_rows) or "").read_text()
    registry = rows.index("ROW_MODELS: ")
    (tmp_path / "rows_of_readme.py").write_text(f"{rows[:registry]}{struct_of_the_query()}\n\n{rows[registry:]}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    sys.modules.pop("rows_of_readme", None)


def test_adding_a_query_as_the_readme_says_passes_every_check(project_with_the_query: Path) -> None:
    trees = ["--queries", "queries", "--models", "rows_of_readme:ROW_MODELS"]
    checks = [option for name in ("headers", "parity", "prepare", "plans") for option in ("--only", name)]
    checked = diglot("check", *trees, "--migrations", "migrations", *checks)
    assert (checked.code, checked.err) == (0, ""), checked.out
    assert diglot("generate", *trees, "--out", "typed").code == 0
    assert "-> list[ToolCount]" in (project_with_the_query / "typed/tasks.py").read_text()


def test_the_query_of_the_readme_answers_as_it_says(db: Database) -> None:
    namespace: dict[str, Any] = {"msgspec": msgspec}
    exec(compile(struct_of_the_query(), "README.md", "exec"), namespace)  # noqa: S102
    tool_count = namespace["ToolCount"]
    run = db.workflows.upsert(WorkflowState(new_id(), "build", "RUNNING"))
    for tool in ("cc", "cc", "ld", None):
        db.tasks.upsert(TaskState(run.workflow_exec_id, new_id(), str(tool), "build", "task", "RUNNING", tool_id=tool))
    dialect: Dialect = db.store.dialect
    query: Any = load_text(sides()[dialect], dialect, {"ToolCount": tool_count}).count_by_tool
    assert query(db.store, workflow_id="build", tools=None) == [tool_count("cc", 2), tool_count("ld", 1)]
    assert query(db.store, workflow_id="build", tools=["cc"]) == [tool_count("cc", 2)]


def test_the_table_has_every_setting() -> None:
    rows = [line for line in README.splitlines() if line.startswith("| `")]
    named = {word for row in rows for cell in row.split("|")[1:3] for word in re.findall(r"`(\w+)`", cell)}
    assert named == {key.name for key in KEYS.values()} | {key.variable for key in KEYS.values()}


def test_the_folders_of_the_layout_exist() -> None:
    layout = README.partition("## Layout")[2]
    inside = ""
    for line in block_lines(layout):
        names = re.match(r" *((?:[\w/]+(?:/|\.py) +)+)", f"{line} ")
        if names is None:
            continue
        inside = "" if not line.startswith(" ") else "pkg/diglot/"
        for name in names[1].split():
            assert (PROJECT / inside / name).exists(), name


def block_lines(text: str) -> list[str]:
    return text.split("```")[1].removeprefix("text\n").splitlines()


def test_nothing_is_left_to_fill_in() -> None:
    assert not re.findall(r"\b[A-Z]+_(?:OUTPUT|TABLE|SUMMARY)\b", README)
