"""What a contender does: the calls that are measured. Each answers in the form that is natural to it."""

from __future__ import annotations

from typing import Any, Protocol

from diglot.statestore.models import TaskState

PAGE = 50


class Contender(Protocol):
    """An open database, used by one thread. Every write is committed, and on disk, when its call returns."""

    def prepare(self, state: TaskState) -> Any:
        """A task as this contender takes it: made before the clock runs."""
        ...

    def get_task(self, workflow_exec_id: str, task_exec_id: str) -> Any:
        """One task by its two keys, JSON parsed and times as aware datetimes."""
        ...

    def upsert_task(self, prepared: Any) -> Any:
        """Insert or update one task; the answer has ``version``, ``created_at`` and ``updated_at``."""
        ...

    def list_tasks(self, workflow_exec_id: str) -> Any:
        """The first 50 tasks of an execution, oldest first, and where the next page begins."""
        ...

    def list_workflows(self, status: str) -> Any:
        """The newest 50 executions with this status, and where the next page begins."""
        ...

    def upsert_tasks(self, prepared: list[Any]) -> int:
        """Insert or update many tasks, all or none; how many."""
        ...

    def tree(self, workflow_exec_id: str, task_exec_id: str) -> Any:
        """A task and its descendants with their depths, parents first, in one query."""
        ...

    def progress(self, workflow_exec_id: str, task_exec_id: str) -> Any:
        """How many children have which status, counting the newest state of each task_id."""
        ...

    def workflow_with_tasks(self, workflow_exec_id: str) -> Any:
        """An execution and the newest state of each of its tasks, both from one snapshot."""
        ...

    def lock_and_save(self, workflow_exec_id: str, task_exec_id: str, status: str, output: dict[str, Any]) -> Any:
        """Lock one task, read it, save it with another status and output if its version is still the same."""
        ...

    def close(self) -> None: ...


class Authenticator(Contender, Protocol):
    """A contender that also knows API keys."""

    def authenticate(self, secret: str) -> Any:
        """The user of an API key; the time of use is noted at most once a minute."""
        ...
