"""The README states only what works: its code runs, its table names every setting, its folders exist."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
import pytest

from diglot.sql.loader import load_text
from diglot.sql.session import Dialect
from diglot.statestore.config.keys import KEYS
from diglot.statestore.database import Database
from diglot.statestore.ids import new_id
from diglot.statestore.models import TaskState, WorkflowState
from tests.cli.running import process

PROJECT = Path(__file__).parent.parent
README = (PROJECT / "README.md").read_text()
SECTION = README.partition("## Add a query")[2].partition("\n## ")[0]


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
    return SECTION.partition("```python\n")[2].partition("```")[0]


@pytest.fixture
def package_with_the_query(tmp_path: Path) -> Path:
    """A copy of the package, as a wheel has it, in which somebody has followed the section: each text stands at the
    end of the file that the section names."""
    package = tmp_path / "diglot"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PROJECT / "pkg" / "diglot", package, ignore=ignored)
    store = package / "statestore"
    shutil.copytree(PROJECT / "queries", store / "sql", ignore=ignored)
    shutil.copytree(PROJECT / "migrations", store / "migrations", ignore=ignored)
    for dialect, text in sides().items():
        with (store / "sql" / dialect / "tasks.sql").open("a") as file:
            file.write(f"\n{text.rstrip()}\n")
    (rows,) = re.findall(r"`pkg/diglot/(\S+\.py)`", SECTION)
    with (package / rows).open("a") as file:
        file.write(f"\n\n{struct_of_the_query()}")
    return tmp_path


def test_adding_a_query_as_the_readme_says_passes_every_check(package_with_the_query: Path, tmp_path: Path) -> None:
    env = {"PYTHONPATH": str(package_with_the_query)}

    def passes(*arguments: str) -> None:
        done = process(*arguments, env=env, cwd=package_with_the_query)
        assert (done.code, done.err) == (0, ""), done.out + done.err

    passes("generate")
    typed = (package_with_the_query / "diglot" / "statestore" / "queries" / "tasks.py").read_text()
    assert "def count_by_tool(" in typed
    assert "-> list[ToolCount]" in typed
    passes("generate", "--check")
    lint(tmp_path)
    passes("check", *(option for name in ("headers", "parity", "prepare", "plans") for option in ("--only", name)))


def lint(folder: Path) -> None:
    """As ``make lint`` does, where sqlfluff is installed; what is in the files already is left to it."""
    if find_spec("sqlfluff") is None:
        return
    (value,) = re.findall(r"`(tools = '\w+')`", SECTION)
    settings = (PROJECT / ".sqlfluff").read_text()
    heading = "[sqlfluff:templater:placeholder]\n"
    (folder / ".sqlfluff").write_text(settings.replace(heading, f"{heading}{value}\n"))
    for dialect, text in sides().items():
        file = folder / f"{dialect}.sql"
        file.write_text(f"{text.rstrip()}\n")
        command = [sys.executable, "-m", "sqlfluff", "lint", str(file), "--dialect", dialect, "--config", ".sqlfluff"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=180, check=False)
        assert done.returncode == 0, done.stdout


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
        depth = (len(line) - len(line.lstrip())) // 2
        inside = ["", "pkg/diglot/", "pkg/diglot/statestore/"][depth]
        for name in names[1].split():
            assert (PROJECT / inside / name).exists(), name


def block_lines(text: str) -> list[str]:
    return text.split("```")[1].removeprefix("text\n").splitlines()


def test_nothing_is_left_to_fill_in() -> None:
    assert not re.findall(r"\b[A-Z]+_(?:OUTPUT|TABLE|SUMMARY)\b", README)
