"""What the pages are filled with for a browser: runs of every kind, each name as bad as a name may be."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from diglot.statestore.database import Database
from diglot.statestore.models import STATUSES, StateError, TaskState, UsageEntry, WorkflowState

EVIL = "<script>window.hurt=1</script>\"'><img src=x onerror=window.hurt=1>"
LONG = "長い名前" * 55
GROUPS, MEMBERS = 20, 99
START = datetime(2026, 1, 31, 12, tzinfo=UTC)


def seed(db: Database) -> None:
    """A large one, one that failed, one with bad names, and one of each status."""
    _large(db)
    _failed(db)
    db.workflows.upsert(WorkflowState(f"evil {EVIL}", EVIL, "SUCCESS", output={EVIL: EVIL}))
    db.tasks.upsert(TaskState(f"evil {EVIL}", f"t {EVIL}", EVIL, EVIL, "task", "SUCCESS"))
    db.workflows.upsert(WorkflowState(f"x{LONG}", LONG, "FAILED", error=StateError(LONG)))
    db.tasks.upsert(TaskState(f"x{LONG}", f"t{LONG}", LONG, LONG, "task", "FAILED", error=StateError(LONG)))
    db.tasks.upsert(TaskState(f"x{LONG}", "below", LONG, LONG, "task", "FAILED", "basic", f"t{LONG}"))
    for status in STATUSES:
        state: Any = status
        db.workflows.upsert(WorkflowState(f"is-{status}", "states", state))


def ticking() -> Callable[[], datetime]:
    """A clock: a second between two writes."""
    seconds = count()
    return lambda: START + timedelta(seconds=next(seconds))


def _large(db: Database) -> None:
    db.workflows.upsert(WorkflowState("large", "render film", "SUCCESS"))
    for number in range(GROUPS):
        group = TaskState("large", f"g{number}", f"scene {number:02}", "render film", "task", "RUNNING", "collection")
        members = [
            TaskState("large", f"g{number}.{each}", f"frame {each:02}", "render film", "tool", "SUCCESS", "basic",
                      f"g{number}", tool_id="blender", output={"files": [f"{each}-{i}.png" for i in range(20)]})
            for each in range(MEMBERS)
        ]  # fmt: skip
        db.tasks.upsert(group)
        db.tasks.upsert_many(members)
        db.tasks.upsert(group.replace(status="SUCCESS"))


def _failed(db: Database) -> None:
    error = StateError("2 of 30 chapters failed", "CHILD_FAILED")
    db.workflows.upsert(
        WorkflowState("failed", "nightly report", "FAILED", error=error, usage=[UsageEntry("p", "m", 1000, 500, 1500)])
    )
    db.tasks.upsert(TaskState("failed", "f", "summarise", "nightly report", "task", "FAILED", "collection"))
    for number in range(30):
        broken = number in (7, 19)
        db.tasks.upsert(
            TaskState("failed", f"f{number}", f"chapter {number}", "nightly report", "agent",
                      "FAILED" if broken else "SUCCESS", "basic", "f", "writer", "write",
                      error=StateError("too long", "OUTPUT_TOO_LONG") if broken else None)
        )  # fmt: skip
