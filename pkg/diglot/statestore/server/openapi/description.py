"""Headers and answers that several addresses have in common, as the description tells them."""

from __future__ import annotations

from typing import Annotated

from litestar.openapi import ResponseSpec
from litestar.params import HeaderParameter

from diglot.statestore.models import TaskState, WorkflowState

IF_MATCH = Annotated[
    str | None, HeaderParameter(name="If-Match", description="The ETag of the version that is meant, or ``*``.")
]
IF_NONE_MATCH = Annotated[str | None, HeaderParameter(name="If-None-Match", description="``*``: only if it is new.")]
CREATED_WORKFLOW = {201: ResponseSpec(WorkflowState, generate_examples=False, description="It is new.")}
CREATED_TASK = {201: ResponseSpec(TaskState, generate_examples=False, description="It is new.")}
