"""The parameters of queries that several addresses take, and the refusal of those that none takes."""

from __future__ import annotations

import difflib
from typing import Annotated, Any

from litestar import Request
from litestar.exceptions import ValidationException
from litestar.params import Parameter

from diglot.repositories.paging import MAX_LIMIT

Limit = Annotated[int, Parameter(ge=1, le=MAX_LIMIT, description="How many, at most.")]
After = Annotated[str | None, Parameter(description="``next`` of the page before.")]

_GIVEN_BY_US = {"request", "data", "database", "state"}


def refuse_unknown(request: Request[Any, Any, Any]) -> None:
    """400 for a parameter that is not known: a filter with a typo would otherwise find everything."""
    handler = request.route_handler
    known = {
        name for name in handler.parsed_fn_signature.parameters if name not in _GIVEN_BY_US | set(request.path_params)
    }
    for name in request.query_params:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            allowed = f"did you mean {near[0]}?" if near else f"use {', '.join(sorted(known)) or 'none'}"
            raise ValidationException(extra=[{"message": f"unknown parameter: {allowed}", "key": name[:100]}])
