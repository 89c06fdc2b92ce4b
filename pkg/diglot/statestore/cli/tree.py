"""A workflow execution and its tasks as a rich tree, for the terminal: id, status, duration, one line each.

If a task has many children, only some are shown: first those that did not succeed, then the earliest; a last line says
how many more there are, by status. Names too long for the width end in an ellipsis, which keeps status and duration
visible. A task whose parent is not among the given tasks is a child of the workflow itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from diglot.statestore.durations import duration_of, duration_text
from diglot.statestore.models import STATUSES, Status, TaskState, TreeNode, WorkflowState

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.tree import Tree

Duration = Callable[[WorkflowState | TaskState], float | None]

STYLES: dict[str, str] = {
    "PENDING": "dim",
    "RUNNING": "yellow",
    "WAITING": "yellow",
    "PAUSED": "yellow",
    "SUCCESS": "green",
    "FAILED": "bold red",
    "TIMED_OUT": "bold red",
    "CANCELED": "magenta",
}


def workflow_tree(
    state: WorkflowState,
    nodes: Iterable[TreeNode | TaskState],
    *,
    width: int = 8,
    top: int | None = None,
    max_depth: int = 100,
    duration: Duration = duration_of,
) -> Tree:
    """The tree of one execution, ready for ``Console.print``.

    ``nodes`` are its tasks; siblings are shown in this order (that of ``tasks.tree`` and ``tasks.list``). ``width`` is
    how many children of one parent are shown before the rest becomes one line, at least 1; ``top`` is the same for the
    workflow itself, None: like ``width``. ``max_depth`` is how many levels of tasks are shown. ``duration`` returns the
    seconds to show, None for none.
    """
    from rich.tree import Tree

    tasks = [node.task if isinstance(node, TreeNode) else node for node in nodes]
    known = {task.task_exec_id for task in tasks}
    children: dict[str | None, list[TaskState]] = {}
    for task in tasks:
        parent = task.parent_state_id if task.parent_state_id in known else None
        children.setdefault(parent, []).append(task)

    root = Tree(
        _line(state.workflow_id, state.status, duration(state), _count(len(tasks), "task"), bold=True),
        guide_style="dim",
    )
    # A stack, not recursion: a chain of tasks may be deeper than Python's stack.
    waiting: list[tuple[Tree, str | None, int]] = [(root, None, 1)]
    while waiting:
        branch, parent, depth = waiting.pop()
        most = top if top is not None and branch is root else width
        shown, hidden = _collapse(children.get(parent, []), most)
        for task in shown:
            below = children.get(task.task_exec_id, [])
            note = _counts(below) if below else ""
            leaf = branch.add(_line(task.task_id, task.status, duration(task), note))
            if below and depth < max_depth:
                waiting.append((leaf, task.task_exec_id, depth + 1))
        if hidden:
            branch.add(_rest(hidden, duration))
    return root


def _collapse(tasks: list[TaskState], width: int) -> tuple[list[TaskState], list[TaskState]]:
    """The tasks to show, in their order, and the rest. A rest of one task is shown as the task itself."""
    width = max(width, 1)
    if len(tasks) <= width + 1:
        return tasks, []
    in_order_of_interest = sorted(tasks, key=lambda task: task.status == "SUCCESS")
    chosen = {task.task_exec_id for task in in_order_of_interest[:width]}
    shown = [task for task in tasks if task.task_exec_id in chosen]
    return shown, [task for task in tasks if task.task_exec_id not in chosen]


def _line(name: str, status: Status, seconds: float | None, note: str, *, bold: bool = False) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    # Text, not markup: an id may contain square brackets. Only the name is shortened if the line is too long.
    cells = [Text(name, style="bold" if bold else "", no_wrap=True, overflow="ellipsis")]
    cells.append(Text(status, style=STYLES[status]))
    if seconds is not None:
        cells.append(Text(duration_text(seconds)))
    if note:
        cells.append(Text(note, style="dim"))
    line = Table.grid(padding=(0, 2, 0, 0))
    for number, _ in enumerate(cells):
        line.add_column(no_wrap=number > 0)
    line.add_row(*cells)
    return line


def _rest(tasks: list[TaskState], duration: Duration) -> RenderableType:
    from rich.text import Text

    text = f"… {len(tasks):,} more: {_counts(tasks, total=False)}"
    seconds = sorted(found for task in tasks if (found := duration(task)) is not None)
    if seconds:
        text += f", {duration_text(seconds[0])} to {duration_text(seconds[-1])}"
    return Text(text, style="dim", no_wrap=True, overflow="ellipsis")


def _counts(tasks: list[TaskState], *, total: bool = True) -> str:
    """``45 tasks`` if all succeeded, else ``45 tasks: 3 RUNNING, 42 SUCCESS``; without total, only the counts."""
    counts = Counter(task.status for task in tasks)
    each = ", ".join(f"{counts[status]:,} {status}" for status in STATUSES if counts[status])  # type: ignore[index]
    if not total:
        return each
    return _count(len(tasks), "task") + ("" if set(counts) == {"SUCCESS"} else f": {each}")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
