"""How long a workflow or a task took, as seconds and as text for people."""

from __future__ import annotations

from datetime import datetime

from diglot.statestore.models import TERMINAL, TaskState, TaskSummary, WorkflowState, WorkflowSummary


def duration_of(state: WorkflowState | TaskState) -> float | None:
    """The seconds that it took: as its engine recorded (``output.runtimeInSeconds``), else from creation to its end.

    None while it is not finished, and for a state that was never stored.
    """
    if state.status not in TERMINAL:
        return None
    recorded = recorded_seconds(state)
    if recorded is not None:
        return recorded
    if not state.created_at or not state.updated_at:
        return None
    return (state.updated_at - state.created_at).total_seconds()


def recorded_seconds(state: WorkflowState | TaskState) -> float | None:
    """The seconds that its engine recorded; None if it recorded no number."""
    found = (state.output or {}).get("runtimeInSeconds")
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def elapsed_seconds(state: WorkflowState | TaskState | WorkflowSummary | TaskSummary, now: datetime) -> float:
    """The seconds from its creation to its end, or until now; 0 for a state that was never stored."""
    if not state.created_at or not state.updated_at:
        return 0.0
    end = state.updated_at if state.status in TERMINAL else max(now, state.updated_at)
    return max((end - state.created_at).total_seconds(), 0.0)


def duration_text(seconds: float) -> str:
    """``0.8 ms``, ``345 ms``, ``1.2 s``, ``3 min 12 s``, ``2 h 05 min``."""
    if seconds < 0.00995:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
