"""The README states only what works: its code runs, its table names every setting, its folders exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

import diglot
from diglot.config.keys import KEYS
from diglot.database import Database
from diglot.models import TaskState, WorkflowState
from diglot.sql.loader import load_text
from diglot.stores.session import Dialect

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


class ToolCount(msgspec.Struct, frozen=True):
    tool_id: str
    tasks: int


def test_the_example_of_a_query_works_in_both_dialects(db: Database) -> None:
    lines = block("sql").splitlines()
    width = lines[0].index("-- queries/sqlite")
    sides: dict[Dialect, str] = {
        "postgres": "\n".join(line[:width].rstrip() for line in lines[1:]),
        "sqlite": "\n".join(line[width:] for line in lines[1:]),
    }
    run = db.workflows.upsert(WorkflowState(diglot.new_id(), "build", "RUNNING"))
    for tool in ("cc", "cc", "ld"):
        db.tasks.upsert(
            TaskState(run.workflow_exec_id, diglot.new_id(), tool, "build", "task", "RUNNING", tool_id=tool)
        )
    dialect: Dialect = db.store.dialect
    query: Any = load_text(sides[dialect], dialect, {"ToolCount": ToolCount}).count_by_tool
    assert query(db.store, workflow_id="build", tools=None) == [ToolCount("cc", 2), ToolCount("ld", 1)]
    assert query(db.store, workflow_id="build", tools=["cc"]) == [ToolCount("cc", 2)]


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
