"""The descriptions of headers and responses that several routes have in common."""

from __future__ import annotations

from typing import Annotated

from litestar.openapi import ResponseSpec
from litestar.params import HeaderParameter

from diglot.statestore.models import TaskState, WorkflowState

IF_MATCH = Annotated[
    str | None, HeaderParameter(name="If-Match", description="The ETag of the version to change, or ``*``.")
]
IF_NONE_MATCH = Annotated[str | None, HeaderParameter(name="If-None-Match", description="``*``: only create it.")]
CREATED_WORKFLOW = {201: ResponseSpec(WorkflowState, generate_examples=False, description="It was created.")}
CREATED_TASK = {201: ResponseSpec(TaskState, generate_examples=False, description="It was created.")}
