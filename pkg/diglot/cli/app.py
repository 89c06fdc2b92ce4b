"""What a command needs: the global options, the current project, its database and the output.

A command gets it with ``@pass_app``, finds the trees in ``app.project`` and prints with ``app.out``.
"""

from __future__ import annotations

import os
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from diglot.cli.output import Output
from diglot.errors import ConfigurationError

if TYPE_CHECKING:
    from diglot.project import Configuration, Project

WITHOUT_A_PROJECT = "diglot.statestore.project"
"""The module whose ``state_store(file)`` returns the default project, used if no file names another."""


class App:
    """One run of the command line. The options are filled in while the arguments are read."""

    def __init__(self, *, own_process: bool = False) -> None:
        self.own_process = own_process
        self.flags: dict[str, Any] = {}
        self.project_file: Path | None = None
        self.format = "table"
        self.debug = False

    @cached_property
    def project(self) -> Project:
        """The project from --project or the current folder; the state store if no file names a tree."""
        from diglot.project import Project

        found = Project.find_or_none(self.project_file)
        if found is not None:
            return found
        return cast("Project", import_module(WITHOUT_A_PROJECT).state_store(self.project_file))

    def project_with(self, **trees: Any) -> Project:
        """The current project, with the trees that the options name in place of its own; None keeps a tree.

        If no file names a tree, only the trees from the options count: the state store's would not belong to them.
        """
        from diglot.project import Project

        given = {name: value for name, value in trees.items() if value is not None}
        if Project.find_or_none(self.project_file) is None:
            if "queries" in given or "migrations" in given:
                return Project(check=self.project.check, file=self.project.file).replace(**given)
            if "models" in given or "generated" in given:
                raise click.UsageError("--models and --out are for another project: name its --queries too")
        return self.project.replace(**given)

    @cached_property
    def configuration(self) -> Configuration:
        """Which database, from the options and the project; read on first access."""
        return self.project.configuration(self.flags)

    @property
    def out(self) -> Output:
        """Standard output in the chosen format."""
        return Output(self.format)

    def yield_to_others(self) -> None:
        """Run at the lowest priority from here on: programs that use the database come first."""
        if self.own_process and hasattr(os, "nice"):
            os.nice(19)

    def refuse_memory(self) -> None:
        """Raises ConfigurationError if the database is in memory: it is empty, and nothing in it would be kept."""
        from diglot.stores.settings import SQLiteSettings
        from diglot.stores.sqlite.path import MEMORY

        database = self.configuration.database
        if isinstance(database, SQLiteSettings) and database.path == MEMORY:
            source = self.configuration.sources.get("path") or self.configuration.sources.get("driver")
            raise ConfigurationError(
                f"{source}: a database in memory is empty when this command starts and gone when it ends: "
                "name a file or a PostgreSQL database"
            )


pass_app = click.make_pass_decorator(App)


def note(text: str) -> None:
    """Prints a remark on standard error: standard output has only the answer."""
    click.echo(text, err=True)
