"""The service's log: one line per event, for people or as JSON, with the request's id, never with a secret.

Lines from libraries (uvicorn, warnings) come through the standard library; ours, including one for every request, are
written directly. All have the same format and pass the same filter.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from diglot.statestore.secrets import REDACTOR
from diglot.statestore.server.settings import LogFormat

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger


@contextmanager
def logging_to_stderr(form: LogFormat) -> Iterator[None]:
    """During the block everything that is logged goes to standard error in this format; afterwards as before."""
    show: list[Processor] = [_Filter(), *_render(form)]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_PREPARE, structlog.stdlib.PositionalArgumentsFormatter()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *show],
        )
    )
    root = logging.getLogger()
    before, level = root.handlers, root.level
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    structlog.configure(
        processors=[*_PREPARE, *show],
        logger_factory=_Lines,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.handlers = before
        root.setLevel(level)
        structlog.reset_defaults()


class _Lines(structlog.WriteLogger):
    """Writes lines to standard error; each has the logger's name."""

    def __init__(self, name: str) -> None:
        super().__init__(sys.stderr)
        self.name = name


class _Filter:
    """Removes secrets from everything that is logged. The secrets in the environment are read once."""

    def __init__(self) -> None:
        self._secrets = REDACTOR.values()

    def __call__(self, _logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
        return {key: self._shown(value) for key, value in event.items()}

    def _shown(self, value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float):
            return value
        return REDACTOR.redact(value if isinstance(value, str) else str(value), self._secrets)


def _render(form: LogFormat) -> list[Processor]:
    if form == "json":
        return [_as_json]
    # The default formatter of tracebacks would print the variables of each frame, including keys and passwords.
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]


def _as_json(_logger: WrappedLogger, _name: str, event: EventDict) -> str:
    try:
        return msgspec.json.encode(event).decode()
    except UnicodeEncodeError:  # from a file name that is not UTF-8
        return json.dumps(event)


_PREPARE: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]
