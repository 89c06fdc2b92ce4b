"""The domain rules for values before they are written to a database; the database checks most of them again.

Each function returns the value (normalised if the rule says so) or raises InvalidValue with the value's path.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from diglot.errors import InvalidValue
from diglot.sql.canonical_json import MAX_DEPTH, check, check_text, dumps, encode
from diglot.sql.encoding import EncodedJson, check_size
from diglot.sql.timestamps import utc
from diglot.statestore.models import (
    COMPONENTS,
    EXECUTION_TYPES,
    ROLES,
    STATUSES,
    StateError,
    TaskState,
    UsageEntry,
    WorkflowState,
)

if TYPE_CHECKING:
    from diglot.statestore.queries.tasks import InsertTaskParameters
    from diglot.statestore.queries.workflows import InsertWorkflowParameters

MAX_ID_LENGTH = 255
MAX_ID_BYTES = 880
"""One index has three ids and a time, and PostgreSQL limits an entry to 2,704 bytes: an id has at most 220 emoji."""
MAX_EMAIL_LENGTH = 254
"""RFC 3696, erratum 1690: the longest path in SMTP."""
_IGNORABLE = frozenset(
    {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10)}
) | frozenset(range(0xE0100, 0xE01F0))
"""Invisible letters and marks: Unicode's Default_Ignorable_Code_Point, and the empty Braille pattern."""
WORKFLOW_OUTPUT_DEPTH = MAX_DEPTH + 2
"""The output of a workflow has the outputs of its tasks two levels down."""

_STATUSES, _COMPONENTS = frozenset(STATUSES), frozenset(COMPONENTS)
_EXECUTION_TYPES, _ROLES = frozenset(EXECUTION_TYPES), frozenset(ROLES)
_DOCUMENTS: tuple[Literal["usage", "input", "output", "error"], ...] = ("usage", "input", "output", "error")
_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
_OPTIONAL_COUNTS = ("reasoning_tokens", "cached_prompt_tokens", "input_audio_tokens", "output_audio_tokens")


def check_id(value: Any, path: str) -> str:
    """An id: text of 1 to 255 characters (880 bytes in UTF-8) without control characters."""
    if type(value) is not str:
        raise InvalidValue(path, f"an id is text, not {type(value).__name__}")
    if not 0 < len(value) <= MAX_ID_LENGTH:
        raise InvalidValue(path, f"an id has 1 to {MAX_ID_LENGTH} characters, not {len(value)}")
    if not value.isprintable():
        check_text(value, path)
        if any(unicodedata.category(c) == "Cc" for c in value):
            raise InvalidValue(path, "an id can't have control characters")
    if len(value) * 4 > MAX_ID_BYTES and len(value.encode()) > MAX_ID_BYTES:
        raise InvalidValue(path, f"an id has at most {MAX_ID_BYTES} bytes in UTF-8, not {len(value.encode())}")
    return value


def check_optional_id(value: Any, path: str) -> str | None:
    return None if value is None else check_id(value, path)


def check_status(value: Any, path: str = "status") -> str:
    return _one_of(value, _STATUSES, STATUSES, path)


def check_role(value: Any, path: str = "role") -> str:
    return _one_of(value, _ROLES, ROLES, path)


def check_execution_type(value: Any, path: str = "execution_type") -> str:
    return _one_of(value, _EXECUTION_TYPES, EXECUTION_TYPES, path)


def check_name(value: Any, path: str = "name") -> str | None:
    """A name for people: text of 1 to 255 characters, or None."""
    return check_optional_id(value, path)


def normalise_email(value: Any, path: str = "email") -> str:
    """A new address as it is stored. Raises InvalidValue if it is not an address or has invisible characters."""
    folded = fold_email(value, path)
    if len(folded) > MAX_EMAIL_LENGTH:
        raise InvalidValue(path, f"an e-mail address has at most {MAX_EMAIL_LENGTH} characters, not {len(folded):,}")
    local, at, domain = folded.rpartition("@")
    empty_part = not all((*local.split("."), *domain.split(".")))
    if not at or "@" in local or empty_part or any(map(_is_invisible, folded)):
        raise InvalidValue(path, f"{value.strip()!r} is not an e-mail address")
    return folded


def _is_invisible(character: str) -> bool:
    """Whether it is blank, a control or format character, unassigned, or one that Unicode lets a font omit."""
    category = unicodedata.category(character)
    return category[0] in "CZ" or character.isspace() or ord(character) in _IGNORABLE


def fold_email(value: Any, path: str = "email") -> str:
    """An address as it is looked up: trimmed, NFKC(casefold(NFKC(…))). It may be one that would not be stored today."""
    if type(value) is not str:
        raise InvalidValue(path, f"an e-mail address is text, not {type(value).__name__}")
    check_text(value, path)
    folded = unicodedata.normalize("NFKC", value.strip())
    return unicodedata.normalize("NFKC", folded.casefold()).strip()


def check_object(value: Any, path: str, max_depth: int = MAX_DEPTH) -> dict[str, Any] | None:
    """A JSON object, canonical, or None."""
    if value is None:
        return None
    if type(value) is not dict:
        raise InvalidValue(path, f"a JSON object (dict) is needed, not {type(value).__name__}")
    checked: dict[str, Any] = check(value, path, max_depth)
    return checked


def check_usage(value: Any, path: str = "usage") -> list[UsageEntry] | None:
    """A list of usage entries, or None."""
    if value is None:
        return None
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise InvalidValue(path, f"a list of UsageEntry is needed, not {type(value).__name__}")
    for i, entry in enumerate(value):
        _check_usage_entry(entry, f"{path}[{i}]")
    return list(value)


def check_error(value: Any, path: str = "error") -> StateError | None:
    """A StateError, its details canonical, or None."""
    if value is None:
        return None
    if not isinstance(value, StateError):
        raise InvalidValue(path, f"a StateError is needed, not {type(value).__name__}")
    for name in ("message", "code"):
        _check_optional_text(getattr(value, name), f"{path}.{name}")
    return value.replace(details=check(value.details, f"{path}.details", MAX_DEPTH - 1))


def workflow_parameters(state: Any, now: datetime) -> tuple[WorkflowState, InsertWorkflowParameters]:
    """A workflow's state, normalised, and the parameters of a query that stores it."""
    if not isinstance(state, WorkflowState):
        raise InvalidValue("", f"a WorkflowState is needed, not {type(state).__name__}")
    parameters: InsertWorkflowParameters = {
        "workflow_exec_id": check_id(state.workflow_exec_id, "workflow_exec_id"),
        "workflow_id": check_id(state.workflow_id, "workflow_id"),
        "status": check_status(state.status),
        "usage": None,
        "input": None,
        "output": None,
        "error": None,
        "now": now,
    }
    return _with_documents(state, parameters, WORKFLOW_OUTPUT_DEPTH), parameters


def task_parameters(state: Any, now: datetime) -> tuple[TaskState, InsertTaskParameters]:
    """A task's state, normalised, and the parameters of a query that stores it."""
    if not isinstance(state, TaskState):
        raise InvalidValue("", f"a TaskState is needed, not {type(state).__name__}")
    parameters: InsertTaskParameters = {
        "workflow_exec_id": check_id(state.workflow_exec_id, "workflow_exec_id"),
        "task_exec_id": check_id(state.task_exec_id, "task_exec_id"),
        "task_id": check_id(state.task_id, "task_id"),
        "workflow_id": check_id(state.workflow_id, "workflow_id"),
        "component": _one_of(state.component, _COMPONENTS, COMPONENTS, "component"),
        "status": check_status(state.status),
        "execution_type": check_execution_type(state.execution_type),
        "parent_state_id": check_optional_id(state.parent_state_id, "parent_state_id"),
        "agent_id": check_optional_id(state.agent_id, "agent_id"),
        "action_id": check_optional_id(state.action_id, "action_id"),
        "tool_id": check_optional_id(state.tool_id, "tool_id"),
        "usage": None,
        "input": None,
        "output": None,
        "error": None,
        "now": now,
    }
    if state.parent_state_id == state.task_exec_id:
        raise InvalidValue("parent_state_id", f"task {state.task_exec_id!r} can't be its own parent")
    _check_execution_consistency(state)
    return _with_documents(state, parameters, MAX_DEPTH), parameters


def _with_documents(state: Any, parameters: InsertTaskParameters | InsertWorkflowParameters, output_depth: int) -> Any:
    """The state with canonical JSON columns; their texts go into ``parameters``, checked and encoded once."""
    usage = check_usage(state.usage)
    input = check_object(state.input, "input")
    output = check_object(state.output, "output", output_depth)
    error = check_error(state.error)
    if usage is None and input is None and output is None and error is None:
        return state
    parameters["usage"] = None if usage is None else EncodedJson(dumps(usage, "usage"))
    parameters["input"] = None if input is None else EncodedJson(encode(input))
    parameters["output"] = None if output is None else EncodedJson(encode(output))
    parameters["error"] = None if error is None else EncodedJson(dumps(error, "error"))
    return state.replace(usage=usage, input=input, output=output, error=error)


def check_documents(parameters: InsertTaskParameters, most: int, path: str) -> None:
    """Raises TooLarge for a document of more than ``most`` bytes; ``path`` precedes its name in the error."""
    for name in _DOCUMENTS:
        document = parameters[name]
        if isinstance(document, EncodedJson):
            check_size(document, path + name, most)


def _check_execution_consistency(state: TaskState) -> None:
    agent, action, tool = state.agent_id, state.action_id, state.tool_id
    none = agent is None and action is None and tool is None
    if state.execution_type == "router" and not none:
        raise InvalidValue("execution_type", "a router task has no agent_id, action_id or tool_id")
    if state.execution_type != "basic" or none:
        return
    by_agent = agent is not None and action is not None and tool is None
    by_tool = tool is not None and agent is None and action is None
    if not (by_agent or by_tool):
        raise InvalidValue(
            "execution_type", "a basic task has either agent_id and action_id, or only tool_id, or none of the three"
        )


def _check_usage_entry(entry: Any, path: str) -> None:
    if not isinstance(entry, UsageEntry):
        raise InvalidValue(path, f"a UsageEntry is needed, not {type(entry).__name__}")
    for name in ("provider", "model"):
        if type(getattr(entry, name)) is not str or not getattr(entry, name).strip():
            raise InvalidValue(f"{path}.{name}", f"{name} is missing")
    for name in (*_COUNTS, *_OPTIONAL_COUNTS):
        count = getattr(entry, name)
        if count is None and name in _OPTIONAL_COUNTS:
            continue
        if type(count) is not int or count < 0:
            raise InvalidValue(f"{path}.{name}", f"a count of tokens is an integer of 0 or more, not {count!r}")
    for name in ("captured_at", "updated_at"):
        at = getattr(entry, name)
        if at is not None:
            if not isinstance(at, datetime):
                raise InvalidValue(f"{path}.{name}", f"a datetime is needed, not {type(at).__name__}")
            utc(at, f"{path}.{name}")
    _check_optional_text(entry.source, f"{path}.source")
    agents = entry.agent_ids
    if agents is not None and (type(agents) is not list or any(type(a) is not str for a in agents)):
        raise InvalidValue(f"{path}.agent_ids", "a list of text is needed")


def _check_optional_text(value: Any, path: str) -> None:
    if value is not None and type(value) is not str:
        raise InvalidValue(path, f"text is needed, not {type(value).__name__}")


def _one_of(value: Any, allowed: frozenset[str], in_order: Sequence[str], path: str) -> str:
    if type(value) is not str or value not in allowed:
        raise InvalidValue(path, f"{value!r} is not one of {', '.join(in_order)}")
    return value
