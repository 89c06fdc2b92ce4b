"""Whose trees a command is about: those of the options, of ``[check]`` in ``diglot.toml``, or Diglot's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diglot.errors import ConfigurationError

if TYPE_CHECKING:
    from diglot.check.project import Project
    from diglot.statestore.config.check import CheckSettings


@contextmanager
def chosen_project(
    settings: CheckSettings,
    queries: Path | None,
    migrations: Path | None,
    *,
    models: str | None = None,
    dialect: str | None = None,
) -> Iterator[Project]:
    """What the options name, else what ``diglot.toml`` names, else Diglot's own trees."""
    from diglot.check.project import Project

    what: dict[str, Any] = {}
    chosen = dialect or settings.dialect
    if chosen is not None:
        what["dialects"] = (chosen,)
    if queries is None and migrations is None:
        queries = _existing(settings.queries, "queries")
        migrations = _existing(settings.migrations, "migrations")
    if models or settings.models:
        from diglot.generate.models import load_models

        what["models"] = dict(load_models(models or settings.models or ""))
    with ExitStack() as stack:
        if queries is None and migrations is None:
            from diglot.statestore.repositories.row_models import ROW_MODELS

            queries = stack.enter_context(resources.as_file(resources.files("diglot.statestore.sql")))
            migrations = stack.enter_context(resources.as_file(resources.files("diglot.statestore.migrations")))
            what.setdefault("models", dict(ROW_MODELS))
        yield Project(queries=queries, migrations=migrations, **what)


def _existing(folder: str | None, name: str) -> Path | None:
    if folder is not None and not Path(folder).is_dir():
        raise ConfigurationError(f"{name} of [check] in diglot.toml: there is no folder {folder}")
    return Path(folder) if folder is not None else None
