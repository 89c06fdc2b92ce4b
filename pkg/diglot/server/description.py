"""The description of the interface, OpenAPI 3.1, at ``/schema``."""

from __future__ import annotations

from typing import Annotated

from litestar.openapi import OpenAPIConfig, ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.params import HeaderParameter

from diglot._version import __version__
from diglot.models import TaskState, WorkflowState

IF_MATCH = Annotated[
    str | None, HeaderParameter(name="If-Match", description="The ETag of the version that is meant, or ``*``.")
]
IF_NONE_MATCH = Annotated[str | None, HeaderParameter(name="If-None-Match", description="``*``: only if it is new.")]
CREATED_WORKFLOW = {201: ResponseSpec(WorkflowState, generate_examples=False, description="It is new.")}
CREATED_TASK = {201: ResponseSpec(TaskState, generate_examples=False, description="It is new.")}

_ABOUT = """\
Workflow executions and their tasks, in PostgreSQL or SQLite. Whoever asks shows an API key:
`Authorization: Bearer dgl_…`. Errors are RFC 9457 problem details, whose `type` never changes its meaning."""


def config(*, auth: bool) -> OpenAPIConfig:
    """What the framework needs to describe the interface."""
    key = SecurityScheme(type="http", scheme="bearer", bearer_format="dgl_…", description="An API key.")
    return OpenAPIConfig(
        title="Diglot",
        version=__version__,
        description=_ABOUT,
        path="/schema",
        render_plugins=[JsonRenderPlugin(path=["/", "/openapi.json"])],
        components=Components(security_schemes={"key": key}) if auth else Components(),
        use_handler_docstrings=True,
        create_examples=False,
        operation_id_creator=lambda handler, _method, _path: handler.handler_name,
    )
