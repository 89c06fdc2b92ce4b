"""A WfFormat 1.5 document as it is in the file: its structure, before its meaning is checked.

The text is read strictly (no NaN, no duplicate keys, no text that a database would refuse); unknown keys are ignored,
because real traces have many. Field names and units are the format's.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from diglot.errors import InvalidValue
from diglot.sql import canonical_json
from diglot.statestore.errors import TraceError
from diglot.text_file import NotText, decoded

VERSION = "1.5"
MAX_BYTES = 128 * 2**20

Count = Annotated[int, Meta(ge=0)] | Annotated[float, Meta(ge=0)]


def decode(text: bytes, max_bytes: int = MAX_BYTES) -> Document:
    """The document in this text. Raises TraceError, without the file's name, if it does not have the format's shape."""
    if len(text) > max_bytes:
        raise TraceError(f"it is larger than {max_bytes // 2**20} MiB")
    if not text.strip():
        raise TraceError("it is empty: use a WfFormat trace")
    try:
        value: Any = canonical_json.parse(decoded(text), "$")
    except NotText as error:
        raise TraceError(f"not JSON: it is {error}") from error
    except InvalidValue as error:
        raise TraceError(error.problem if error.problem.startswith("not JSON") else str(error)) from error
    if not isinstance(value, dict) or "schemaVersion" not in value or "workflow" not in value:
        raise TraceError("not WfFormat: an object with 'name', 'schemaVersion' and 'workflow' is expected")
    if value["schemaVersion"] != VERSION:
        raise TraceError(f"schemaVersion {value['schemaVersion']!r} is not supported: use WfFormat {VERSION}")
    try:
        return msgspec.convert(value, Document)
    except msgspec.ValidationError as error:
        raise TraceError(f"not WfFormat {VERSION}: {error}") from error


class File(Struct, rename="camel"):
    id: str
    size_in_bytes: Annotated[int, Meta(ge=0)]


class SpecifiedTask(Struct, rename="camel"):
    id: str
    name: str
    parents: list[str]
    children: list[str]
    input_files: list[str] = []
    output_files: list[str] = []


class Specification(Struct):
    tasks: list[SpecifiedTask]
    files: list[File] = []


class Command(Struct):
    program: str | None = None
    arguments: list[str] = []


class ExecutedTask(Struct, rename="camel"):
    id: str
    runtime_in_seconds: Count
    executed_at: str | None = None
    command: Command | None = None
    core_count: Count | None = None
    avg_cpu: Count | None = field(name="avgCPU", default=None)
    read_bytes: Count | None = None
    written_bytes: Count | None = None
    memory_in_bytes: Count | None = None
    energy_in_kwh: Count | None = field(name="energyInKWh", default=None)
    avg_power_in_w: Count | None = field(name="avgPowerInW", default=None)
    priority: float | int | None = None
    machine: str | None = None
    machines: list[str] = []

    def measured(self) -> dict[str, float | int]:
        found = {
            "coreCount": self.core_count,
            "avgCPU": self.avg_cpu,
            "memoryInBytes": self.memory_in_bytes,
            "readBytes": self.read_bytes,
            "writtenBytes": self.written_bytes,
            "energyInKWh": self.energy_in_kwh,
            "avgPowerInW": self.avg_power_in_w,
            "priority": self.priority,
        }
        return {name: value for name, value in found.items() if value is not None}


class Machine(Struct, rename="camel"):
    node_name: str


class Execution(Struct, rename="camel"):
    makespan_in_seconds: Count
    executed_at: str
    tasks: list[ExecutedTask]
    machines: list[Machine] = []


class Workflow(Struct):
    specification: Specification
    execution: Execution | None = None


class RuntimeSystem(Struct):
    name: str
    version: str | None = None


class Document(Struct, rename="camel"):
    name: str
    workflow: Workflow
    description: str | None = None
    created_at: str | None = None
    runtime_system: RuntimeSystem | None = None
