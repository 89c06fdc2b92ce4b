"""The query parameters that several routes take, and the refusal of unknown parameters."""

from __future__ import annotations

import difflib
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from litestar import Request
from litestar.di import NamedDependency
from litestar.exceptions import ValidationException
from litestar.params import QueryParameter

from diglot.errors import InvalidValue
from diglot.statestore.database import Database
from diglot.statestore.repositories.paging import MAX_LIMIT

OpenDatabase = NamedDependency[Database]
Limit = Annotated[int, QueryParameter(ge=1, le=MAX_LIMIT, description="The most items to return.")]
After = Annotated[str | None, QueryParameter(description="``next`` of the previous page.")]

_CONDITIONS = ("If-Match", "If-None-Match")
_WRITES = {"PUT", "POST", "PATCH", "DELETE"}
_LISTS = {"ids"}
_NOT_OF_QUERIES = {"request", "data", "database", "if_match", "if_none_match"}


def moment(text: str | None, name: str) -> datetime | None:
    """A time in a query, RFC 3339; the framework itself would read 0.5 as half a second after 1970."""
    if text is None:
        return None
    try:
        return msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        raise InvalidValue(name, f"{text[:40]!r} is not a time: use 2026-01-31T09:05:00Z") from None


@cache
def _choices(annotation: Any) -> tuple[str, ...]:
    """The allowed values of a parameter of this type, if it is a choice of words; else ()."""
    if get_origin(annotation) is Literal:
        return tuple(map(str, get_args(annotation)))
    return next((found for each in get_args(annotation) if (found := _choices(each))), ())


async def refuse_unknown(request: Request[Any, Any, Any]) -> None:
    """400 for a parameter that is unknown or repeated, and for a condition that would be ignored.

    Not a plain ``def``: the framework would run that in a thread, for each request.
    """
    handler = request.route_handler
    for name in _CONDITIONS if request.method in _WRITES else ():
        if name in request.headers and name.lower().replace("-", "_") not in handler.parsed_fn_signature.parameters:
            raise ValidationException(extra=[{"message": "this request can't depend on a version", "key": name}])
    if not request.scope["query_string"]:
        return
    known = set(handler.parsed_fn_signature.parameters) - _NOT_OF_QUERIES - set(request.path_params)
    for name in request.query_params:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            allowed = f"did you mean {near[0]}?" if near else f"use {', '.join(sorted(known)) or 'none'}"
            raise ValidationException(extra=[{"message": f"unknown parameter: {allowed}", "key": name[:100]}])
    for name, value in request.query_params.items():
        allowed_values = _choices(handler.parsed_fn_signature.parameters[name].annotation)
        if allowed_values and value not in allowed_values:
            message = f"{str(value)[:40]!r} is not one of {', '.join(allowed_values)}"
            raise ValidationException(extra=[{"message": message, "key": name}])
    names = [name for name, _ in request.query_params.multi_items() if name not in _LISTS]
    for name in names if len(names) > len(set(names)) else ():
        if names.count(name) > 1:
            raise ValidationException(extra=[{"message": "it is given more than once: give it once", "key": name}])
