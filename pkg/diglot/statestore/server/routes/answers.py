"""What responses have in common: pages with a link to the next one, versions as ETags, and conditions on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from litestar import Request, Response
from litestar.exceptions import ValidationException

from diglot.statestore.errors import ConcurrentUpdate, NotFound
from diglot.statestore.models import Page, TaskState, WorkflowState

T = TypeVar("T")
S = TypeVar("S", WorkflowState, TaskState)


def paged(request: Request[Any, Any, Any], page: Page[T]) -> Response[Page[T]]:
    """A page; the header Link names the next one (RFC 8288)."""
    if page.next is None:
        return Response(page)
    query = [(name, value) for name, value in request.query_params.multi_items() if name != "after"]
    target = f"{quote(request.url.path)}?{urlencode([*query, ('after', page.next)])}"
    return Response(page, headers={"Link": f'<{target}>; rel="next"'})


def versioned(state: S) -> Response[S]:
    """A state with its version as the ETag."""
    return Response(state, headers={"ETag": f'"{state.version}"'})


def written(state: S, path: str) -> Response[S]:
    """A state that was just written: 201 if it is new, else 200."""
    if state.version != 1:
        return versioned(state)
    return Response(state, status_code=201, headers={"ETag": f'"{state.version}"', "Location": quote(path)})


def wanted_version(match: str | None, none_match: str | None, current: Callable[[], S]) -> int | None:
    """The version that a write must find: that in If-Match, 0 (none) for ``If-None-Match: *``, None for any.

    Raises ConcurrentUpdate if the condition can't be met. ``current`` reads the state, and is called only if needed.
    """
    if none_match is not None:
        if none_match.strip() != "*" or match is not None:
            raise ValidationException(extra=[{"message": "a write accepts only '*' here", "key": "If-None-Match"}])
        return 0
    if match is None:
        return None
    tags = [tag.strip() for tag in match.split(",")]
    if len(tags) == 1 and (version := _version(tags[0])) is not None:
        return version
    try:
        now = current().version
    except NotFound as error:
        raise ConcurrentUpdate(f"{error}, but If-Match requires one") from error
    if "*" not in tags and now not in [_version(tag) for tag in tags]:
        raise ConcurrentUpdate(f"its version is {now}, but If-Match requires another")
    return now if isinstance(now, int) else None


def met(write: Callable[[], T]) -> T:
    """The result of a write with a condition, which is not met either if there is nothing to write to."""
    try:
        return write()
    except NotFound as error:
        raise ConcurrentUpdate(f"{error}, but If-Match requires one") from error


def _version(tag: str) -> int | None:
    """The version in a strong tag that we may have issued; a weak tag matches nothing."""
    digits = tag[1:-1]
    return int(digits) if tag == f'"{digits}"' and digits.isascii() and digits.isdigit() and len(digits) < 19 else None
