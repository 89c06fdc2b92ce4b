"""A wrong call of a query is a type error: real mypy on repositories that are wrong in one place each."""

from __future__ import annotations

from pathlib import Path

from tests.generate.type_check import mypy

HEAD = """
from datetime import datetime
from diglot.statestore.models import TaskState
from diglot.statestore.repositories.base import Context
from diglot.sql.together import call, together

def right(c: Context, at: datetime) -> TaskState | None:
    c.queries.users.create_user(c.session, id="1", email="e", role="user", now=at)
    states, one = together(
        c.session,
        call(c.queries.tasks.latest_tasks, workflow_exec_id="w"),
        call(c.queries.tasks.get_task, task_exec_id="t", workflow_exec_id=None),
    )
    return states[0] if states else one

"""
WRONG = {
    'c.queries.tasks.gt_task(c.session, task_exec_id="t", workflow_exec_id=None)': "attr-defined",
    "c.queries.task": "attr-defined",
    'c.queries.tasks.get_task(c.session, task_exec_id="t")': "call-arg",
    'c.queries.tasks.get_task(c.session, task_exec_id="t", workflow_exec_id=None, more=1)': "call-arg",
    'c.queries.tasks.get_task(c.session, "t", None)': "call-arg",
    'c.queries.tasks.get_task(task_exec_id="t", workflow_exec_id=None)': "call-arg",
    'c.queries.tasks.get_task("w", task_exec_id="t", workflow_exec_id=None)': "arg-type",
    "c.queries.tasks.get_task(c.session, task_exec_id=1, workflow_exec_id=None)": "arg-type",
    "c.queries.tasks.get_task(c.session, task_exec_id=None, workflow_exec_id=None)": "arg-type",
    'c.queries.tasks.get_tasks(c.session, ids="t1")': "arg-type",
    "c.queries.tasks.get_tasks(c.session, ids=[1])": "list-item",
    'c.queries.users.create_user(c.session, id="1", email="e", role="user", now="2026")': "arg-type",
    'c.queries.tasks.set_task_usage(c.session, workflow_exec_id="w", task_exec_id="t", usage=at, now=at)': "arg-type",
    'x: str = c.queries.tasks.get_task(c.session, task_exec_id="t", workflow_exec_id=None)': "assignment",
    'c.queries.tasks.get_task(c.session, task_exec_id="t", workflow_exec_id=None).status': "union-attr",
    'x: str = c.queries.tasks.execution_of_task(c.session, task_exec_id="t")': "assignment",
    "x: int = c.queries.users.admin_exists(c.session)[0]": "index",
    'x: str = c.queries.users.delete_user(c.session, id="1")': "assignment",
    'c.queries.tasks.upsert_tasks(c.session, [{"task_id": "t"}])': "typeddict-item",
    'call(c.queries.tasks.latest_tasks, exec_id="w")': "call-arg",
    'x: list[str] = call(c.queries.tasks.latest_tasks, workflow_exec_id="w").answer([])': "assignment",
}


def test_each_wrong_call_is_a_type_error_at_its_line_and_a_right_one_is_none(
    session_folder: Path, tmp_path: Path
) -> None:
    module = tmp_path / "repository.py"
    functions = [f"def wrong{i}(c: Context, at: datetime) -> None:\n    {line}\n" for i, line in enumerate(WRONG)]
    text = HEAD + "\n".join(functions)
    module.write_text(text)
    run = mypy(session_folder, tmp_path, module.name)
    found: dict[str, set[str]] = {}
    for line in run.stdout.splitlines():
        if ": error: " in line:
            place, _, message = line.partition(": error: ")
            code = text.splitlines()[int(place.split(":")[1]) - 1].strip()
            found.setdefault(code, set()).add(message.rpartition("[")[2].rstrip("]"))
    assert {code: " ".join(sorted(kinds)) for code, kinds in found.items()} == WRONG, run.stdout
