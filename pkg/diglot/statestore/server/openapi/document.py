"""The OpenAPI 3.1 description of the API at ``/schema``; it is built on the first request."""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from diglot._version import __version__
from diglot.statestore.server.openapi.examples import with_examples
from diglot.statestore.server.openapi.headers import with_headers

_ABOUT = """\
Workflow executions and their tasks, in PostgreSQL or SQLite. Every request needs an API key:
`Authorization: Bearer dgl_…`. Errors are RFC 9457 problem details, whose `type` never changes its meaning."""


class _Whole(JsonRenderPlugin):
    """The framework's description, completed with examples and headers."""

    _text: bytes | None = None

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        if self._text is None:
            with_examples(request.app)
            with_headers(request.app)
            self._text = self.render_json(request, request.app.openapi_schema.to_schema())
        return self._text


def config(*, auth: bool) -> OpenAPIConfig:
    """What the framework needs to describe the API."""
    key = SecurityScheme(type="http", scheme="bearer", bearer_format="dgl_…", description="An API key.")
    return OpenAPIConfig(
        title="Diglot",
        version=__version__,
        description=_ABOUT,
        path="/schema",
        render_plugins=[_Whole(path=["/", "/openapi.json"])],
        components=Components(security_schemes={"key": key}) if auth else Components(),
        use_handler_docstrings=True,
        create_examples=False,
        operation_id_creator=lambda handler, _method, _path: handler.handler_name,
    )
