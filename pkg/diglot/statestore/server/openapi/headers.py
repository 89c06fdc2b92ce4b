"""The description of response headers, which follow from the content of the response."""

from __future__ import annotations

from litestar import Litestar
from litestar.openapi.spec import OpenAPIHeader, OpenAPIResponse, OpenAPIType, Schema

from diglot.statestore.server.openapi.examples import operations


def _header(description: str, example: str) -> OpenAPIHeader:
    return OpenAPIHeader(schema=Schema(type=OpenAPIType.STRING), description=description, example=example)


_ETAG = _header("The version, for If-Match; absent if the response includes tasks.", '"3"')
_LINK = _header("The next page, if there is one (RFC 8288).", '</api/v0/workflows?limit=50&after=WyIy>; rel="next"')
_LOCATION = _header("The address of the new state.", "/api/v0/workflows/nightly-1")
_WAIT = _header("Seconds to wait before the next attempt.", "3")
_OF_STATUS = {
    "401": {"WWW-Authenticate": _header("How to sign in.", 'Bearer realm="diglot"')},
    "429": {"Retry-After": _WAIT},
    "503": {"Retry-After": _WAIT},
}


def with_headers(app: Litestar) -> None:
    """Adds the headers of each response to the description."""
    for item in (app.openapi_schema.paths or {}).values():
        for operation in operations(item):
            for status, response in (operation.responses or {}).items():
                if isinstance(response, OpenAPIResponse):
                    response.headers = {**(response.headers or {}), **_of(status, response)}


def _of(status: str, response: OpenAPIResponse) -> dict[str, OpenAPIHeader]:
    schemas = [str(getattr(media.schema, "ref", "")) for media in (response.content or {}).values()]
    if any(schema.endswith("/Problem") for schema in schemas):
        return _OF_STATUS.get(status, {})
    state = any(schema.endswith(("/WorkflowState", "/TaskState")) for schema in schemas)
    pages = any("/Page_" in schema for schema in schemas)
    return (
        ({"ETag": _ETAG} if state else {})
        | ({"Location": _LOCATION} if state and status == "201" else {})
        | ({"Link": _LINK} if pages else {})
    )
