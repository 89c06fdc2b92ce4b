"""What a command of the state store needs in addition: its configuration and its open database."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, update_wrapper
from typing import TYPE_CHECKING, Any, TypeVar

import click

from diglot.cli.app import App, note
from diglot.cli.output import Output
from diglot.errors import ConfigurationError
from diglot.project import Project
from diglot.text_file import shown

if TYPE_CHECKING:
    from diglot.statestore.config import Config
    from diglot.statestore.database import Database

__all__ = ["StoreApp", "note", "pass_app"]

R = TypeVar("R")


class StoreApp(App):
    """One run of a command of the state store; open the database with ``with app.open() as db``."""

    @cached_property
    def config(self) -> Config:
        """The current configuration; read on first access."""
        from diglot.statestore.config import load

        return load(config_file=self.project_file, flags=self.flags)

    @cached_property
    def configuration(self) -> Config:
        return self.config

    @property
    def out(self) -> Output:
        """Standard output in the chosen format, with the colours of statuses."""
        from diglot.statestore.cli.tree import STYLES

        return Output(self.format, STYLES)

    def open(self, *, migrate: bool | None = None, memory: bool = False) -> Database:
        """Open the configured database; use it with ``with``. ``migrate``: None does as configured.

        ``memory``: this command makes sense on a database that is gone when the command ends. Otherwise such a database
        raises ConfigurationError.
        """
        from diglot.statestore.database import open_config

        if not memory:
            self.refuse_memory()
        return open_config(self.config, migrate=migrate)


def pass_app(command: Callable[..., R]) -> Callable[..., R]:
    """Passes a StoreApp to the command. Raises ConfigurationError in another project, which has its own database."""

    def with_app(*args: Any, **kwargs: Any) -> R:
        context = click.get_current_context()
        found = context.find_object(App)
        assert found is not None  # noqa: S101 - the entry point created it
        other = Project.find_or_none(found.project_file)
        if other is not None:
            file = shown(other.file) if other.file is not None else "this folder"
            raise ConfigurationError(
                f"'{context.command_path}' is a command of the state store, and {file} describes another "
                "project: run it in another folder"
            )
        app = StoreApp()
        vars(app).update(vars(found))
        return command(app, *args, **kwargs)

    return update_wrapper(with_app, command)
