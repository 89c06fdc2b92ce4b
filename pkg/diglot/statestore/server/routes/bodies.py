"""The bodies of requests: strict structs, decoded as the databases store them; errors name the path of the value.

The framework's own decoding would accept "1" as 1 and use the last of two equal keys; here both are refused. It would
also decode in the event loop, where a body of ten megabytes blocks everybody for seconds: a handler gets the raw body,
and decodes it in its own thread.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec
from litestar.dto import AbstractDTO, DTOConfig
from litestar.dto.data_structures import DTOFieldDefinition
from litestar.exceptions import HTTPException
from litestar.openapi.spec import Reference, Schema
from litestar.typing import FieldDefinition

from diglot.errors import InvalidValue, TooLarge
from diglot.sql.canonical_json import parse
from diglot.statestore.models import (
    Component,
    ExecutionType,
    JsonObject,
    Role,
    StateError,
    Status,
    TaskState,
    UsageEntry,
    WorkflowState,
)
from diglot.statestore.repositories.validation import WORKFLOW_OUTPUT_DEPTH

T = TypeVar("T")
MAX_VALUES = 100_000
"""The most values in a body: each takes 60 to 300 bytes of memory, however short it is in the body."""
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_WHERE = re.compile(r" - at `\$(?:\[\.\.\.\])?\.?(?P<path>.*)`\Z")
_FIELD = re.compile(r"Object (?P<what>contains unknown|missing required) field `(?P<name>.*)`\Z", re.DOTALL)


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The base of every body: an unknown field is an error."""


class UsageBody(UsageEntry, frozen=True, forbid_unknown_fields=True):
    """The tokens that one model of one provider used."""


class ErrorBody(StateError, frozen=True, forbid_unknown_fields=True):
    """Why a workflow or a task failed."""


class WorkflowBody(Strict, frozen=True):
    """The whole state of a workflow execution: what is left out becomes null."""

    workflow_id: str
    status: Status
    usage: list[UsageBody] | None = None
    input: JsonObject | None = None
    output: JsonObject | None = None
    error: ErrorBody | None = None

    def state(self, exec_id: str) -> WorkflowState:
        return WorkflowState(workflow_exec_id=exec_id, **msgspec.structs.asdict(self))


class TaskBody(Strict, frozen=True):
    """The whole state of a task: what is left out becomes null."""

    workflow_exec_id: str
    task_id: str
    workflow_id: str
    component: Component
    status: Status
    execution_type: ExecutionType = "basic"
    parent_state_id: str | None = None
    agent_id: str | None = None
    action_id: str | None = None
    tool_id: str | None = None
    usage: list[UsageBody] | None = None
    input: JsonObject | None = None
    output: JsonObject | None = None
    error: ErrorBody | None = None

    def state(self, task_exec_id: str) -> TaskState:
        return TaskState(task_exec_id=task_exec_id, **msgspec.structs.asdict(self))


class UsageAdded(Strict, frozen=True):
    """Tokens that were used: they are added to the stored usage."""

    usage: list[UsageBody]


class KeyWanted(Strict, frozen=True):
    """A new key: for yourself or, with ``user_id``, which only an admin may set, for another user."""

    name: str | None = None
    expires_at: datetime | None = None
    user_id: str | None = None


class UserWanted(Strict, frozen=True):
    """A new user."""

    email: str
    role: Role = "user"


class UserChanged(Strict, frozen=True):
    """The changes to a user; a field that is left out or null stays as it is."""

    email: str | None = None
    role: Role | None = None


def decode(body: bytes, kind: type[T]) -> T:
    """The value of a body. Raises InvalidValue, with the path of the invalid value, or TooLarge."""
    if _values(body) > MAX_VALUES and _values(_STRING.sub(b"", body)) > MAX_VALUES:
        raise TooLarge.body(f"it has more than {MAX_VALUES:,} values: send it in parts, or as text")
    try:
        return msgspec.convert(parse(body, "", max_depth=WORKFLOW_OUTPUT_DEPTH + 1), kind)
    except InvalidValue as error:
        raise InvalidValue(error.path.removeprefix("."), error.problem) from None
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None


def _values(body: bytes) -> int:
    """The most values that a JSON text can have: a comma or a bracket in a string counts too."""
    return 1 + body.count(b",") + body.count(b"[") + body.count(b"{")


def _invalid(text: str) -> InvalidValue:
    """The decoder's message, in our words; a field that is missing or unknown has a path of its own."""
    where = _WHERE.search(text)
    path, said = (where["path"], text[: where.start()]) if where else ("", text)
    field = _FIELD.match(said)
    if field is None:
        return InvalidValue(path, said)
    problem = "this field is not known" if field["what"] == "contains unknown" else "this field is required"
    return InvalidValue(f"{path}.{field['name'][:100]}".removeprefix("."), problem)


class Sent(Generic[T]):
    """A raw body."""

    def __init__(self, body: bytes, kind: type[T]) -> None:
        self._body = body
        self._kind = kind

    def read(self) -> T:
        """Its value. Raises InvalidValue, with the path of the invalid value, or TooLarge."""
        return decode(self._body, self._kind)


class Body(AbstractDTO[T]):
    """``dto=Body[WorkflowBody]``: how the framework gets a handler's ``data``, and describes it."""

    config = DTOConfig()

    def decode_bytes(self, value: bytes) -> Any:
        kind = self.asgi_connection.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise HTTPException(status_code=415, detail="send it with Content-Type: application/json")
        return Sent(value, self.model_type)

    @classmethod
    def create_for_field_definition(
        cls, field_definition: FieldDefinition, handler_id: str, backend_cls: Any = None
    ) -> None:
        """Does nothing: a body has no second form."""

    @classmethod
    def create_openapi_schema(
        cls, field_definition: FieldDefinition, handler_id: str, schema_creator: Any
    ) -> Reference | Schema:
        """``schema_creator`` has a class that litestar passes to plugins but keeps in a private module."""
        schema: Reference | Schema = schema_creator.for_field_definition(
            FieldDefinition.from_annotation(cls.model_type)
        )
        return schema

    @classmethod
    def generate_field_definitions(cls, model_type: type[Any]) -> Generator[DTOFieldDefinition, None, None]:
        yield from ()

    @classmethod
    def detect_nested_field(cls, field_definition: FieldDefinition) -> bool:
        return False
