"""From a template to a response: everything escaped, and a policy that allows only our own files."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Request, Response
from markupsafe import Markup

from diglot._version import __version__
from diglot.database import utc_now
from diglot.statestore.durations import duration_text, elapsed_seconds
from diglot.statestore.models import STATUSES, TaskState, TaskSummary, WorkflowState, WorkflowSummary
from diglot.statestore.server.pages.assets import address

MEDIA_TYPE = "text/html"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    # Not no-referrer: with that, a browser hides the Origin of our own forms too.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_BYTES = ("bytes", "kB", "MB", "GB", "TB")


def rendered(
    request: Request[Any, Any, Any],
    template: str,
    *,
    code: int = 200,
    headers: Mapping[str, str] | None = None,
    **values: Any,
) -> Response[str]:
    """A page. With ``fragment`` in the query, only the part that changes, which the script then replaces."""
    wanted = f"_{template}" if "fragment" in request.query_params and "live" in values else template
    values = {"user": request.scope.get("user"), "path": request.url.path, **values}
    given = {**HEADERS, **(headers or {})}
    return Response(text(wanted, **values), media_type=MEDIA_TYPE, status_code=code, headers=given)


def text(template: str, **values: Any) -> str:
    """The text of a template."""
    return _environment().get_template(template).render({"now": utc_now(), "version": __version__, **values})


def link(path: str, **query: str | list[str] | None) -> str:
    """The URL of a page. Ids are in the query: they may have slashes and dots, which a path would not preserve."""
    given = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(given, doseq=True)}" if given else path


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("diglot.statestore.server.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    environment.globals |= {"asset": address, "link": link, "statuses": STATUSES}
    environment.filters |= {"duration": duration_text, "time": _time, "size": _size, "count": _count, "took": _took}
    return environment


def _visible(value: Any) -> Any:
    """Shows characters that are invisible or change the text's direction as code points: a name must not deceive."""
    if type(value) is not str or value.isprintable():
        return value
    return "".join(c if c.isprintable() or c in "\n\t" else f"\N{SYMBOL FOR SUBSTITUTE}U+{ord(c):04X}" for c in value)


def _time(moment: datetime) -> Markup:
    at = moment.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat(), at.strftime("%Y-%m-%d %H:%M:%S"))


def _size(size: float) -> str:
    unit = 0
    while size >= 1000 and unit < len(_BYTES) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.0f} {_BYTES[unit]}" if unit == 0 or size >= 100 else f"{size:.1f} {_BYTES[unit]}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _took(state: WorkflowState | TaskState | WorkflowSummary | TaskSummary, now: datetime) -> str:
    """How long it took, or has taken so far; a dash while it is pending."""
    return "–" if state.status == "PENDING" else duration_text(elapsed_seconds(state, now))
