"""What a command needs: the global options, the configuration, the database and the output.

A command takes it with ``@pass_app``, opens the database with ``with app.open() as db`` and answers with ``app.out``.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from diglot.cli.output import Output
from diglot.errors import ConfigurationError

if TYPE_CHECKING:
    from diglot.statestore.config import Config
    from diglot.statestore.database import Database


class App:
    """One run of the command line. The options are filled in while the arguments are read."""

    def __init__(self) -> None:
        self.flags: dict[str, Any] = {}
        self.config_file: Path | None = None
        self.format = "table"
        self.debug = False

    @cached_property
    def config(self) -> Config:
        """The configuration in force, read when it is first asked for."""
        from diglot.statestore.config import load

        return load(config_file=self.config_file, flags=self.flags)

    @property
    def out(self) -> Output:
        """Standard output in the chosen format."""
        return Output(self.format)

    def open(self, *, migrate: bool | None = None, memory: bool = False) -> Database:
        """The configured database, open; use it with ``with``. ``migrate``: None does as configured.

        ``memory``: this command makes sense on a database that is gone when the command ends. Else such a database is
        a ConfigurationError.
        """
        from diglot.statestore.database import open_config

        if not memory:
            self.refuse_memory()
        return open_config(self.config, migrate=migrate)

    def refuse_memory(self) -> None:
        """ConfigurationError when the configured database is in memory: nothing is in it, and nothing would stay."""
        from diglot.stores.settings import SQLiteSettings
        from diglot.stores.sqlite.path import MEMORY

        database = self.config.database
        if isinstance(database, SQLiteSettings) and database.path == MEMORY:
            source = self.config.sources.get("path") or self.config.sources.get("driver")
            raise ConfigurationError(
                f"{source}: a database in memory is empty at the start of this command and gone at its end: "
                "name a file, or a PostgreSQL database"
            )


pass_app = click.make_pass_decorator(App)


def note(text: str) -> None:
    """A remark for the person, on standard error, so that standard output holds the answer alone."""
    click.echo(text, err=True)
