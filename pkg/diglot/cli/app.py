"""What a command needs: the global options, the project in force, its database and the output.

A command takes it with ``@pass_app``, asks ``app.project`` for the trees and answers with ``app.out``.
"""

from __future__ import annotations

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
"""The module whose ``state_store(file)`` is the project where no file names another."""


class App:
    """One run of the command line. The options are filled in while the arguments are read."""

    def __init__(self) -> None:
        self.flags: dict[str, Any] = {}
        self.project_file: Path | None = None
        self.format = "table"
        self.debug = False

    @cached_property
    def project(self) -> Project:
        """The project of --project or of the current folder; the state store where no file names a tree."""
        from diglot.project import Project

        found = Project.find_or_none(self.project_file)
        if found is not None:
            return found
        return cast("Project", import_module(WITHOUT_A_PROJECT).state_store(self.project_file))

    def project_with(self, **trees: Any) -> Project:
        """The project in force with what the options name instead; a tree given as None stays.

        Where no file names a tree, only those of the options count: the state store's would not belong to them.
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
        """Which database, as the options and the project say; read when it is first asked for."""
        return self.project.configuration(self.flags)

    @property
    def out(self) -> Output:
        """Standard output in the chosen format."""
        return Output(self.format)

    def refuse_memory(self) -> None:
        """ConfigurationError when the configured database is in memory: nothing is in it, and nothing would stay."""
        from diglot.stores.settings import SQLiteSettings
        from diglot.stores.sqlite.path import MEMORY

        database = self.configuration.database
        if isinstance(database, SQLiteSettings) and database.path == MEMORY:
            source = self.configuration.sources.get("path") or self.configuration.sources.get("driver")
            raise ConfigurationError(
                f"{source}: a database in memory is empty at the start of this command and gone at its end: "
                "name a file, or a PostgreSQL database"
            )


pass_app = click.make_pass_decorator(App)


def note(text: str) -> None:
    """A remark for the person, on standard error, so that standard output holds the answer alone."""
    click.echo(text, err=True)
