"""The tree of commands. A command's module is imported only when the command is used, so each starts fast.

The global options may come before or after the command: people type both.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from diglot._version import __version__
from diglot.cli.app import App

EPILOG = "The global options of 'diglot --help' (--database-url, --format …) can be given here too."


class LazyGroup(click.Group):
    """A group whose commands are ``{name: "module:attribute"}``, in the order that the help shows.

    ``more``: further commands, under a heading of their own.
    """

    def __init__(
        self, *args: Any, lazy: dict[str, str], more: Mapping[str, dict[str, str]] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._sections = {"Commands": lazy, **(more or {})}
        self._lazy = {name: place for section in self._sections.values() for name, place in section.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self._load(cmd_name) if cmd_name in self._lazy else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self._lazy and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], self._lazy, n=1)
            ctx.fail(f"no such command {args[0]!r}: {f'did you mean {near[0]!r}?' if near else self._all()}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Like click's own, but with the whole first sentence of each command."""
        for heading, commands in self._sections.items():
            with formatter.section(heading):
                formatter.write_dl([(name, self._load(name).get_short_help_str(limit=200)) for name in commands])

    def _load(self, name: str) -> click.Command:
        if name not in self.commands:
            module, _, attribute = self._lazy[name].partition(":")
            command: click.Command = getattr(import_module(module), attribute)
            own = {name for parameter in command.params for name in parameter.opts}
            command.params += [option for option in global_options(hidden=True) if own.isdisjoint(option.opts)]
            command.epilog = command.epilog or EPILOG
            self.add_command(command, name)
        return self.commands[name]

    def _all(self) -> str:
        return f"use one of {', '.join(self._lazy)}"


def lazy_group(name: str, help_text: str, **commands: str) -> LazyGroup:
    """A group of commands and nothing else."""
    return LazyGroup(name=name, help=help_text, lazy=commands)


def global_options(*, hidden: bool) -> list[click.Parameter]:
    """The options that every command takes. Options after the command override those before it."""

    def option(name: str, keep: Callable[[App, Any], None], text: str, *more: str, **how: Any) -> click.Option:
        def callback(ctx: click.Context, _parameter: click.Parameter, value: Any) -> None:
            app = ctx.find_object(App)
            if value is not None and value is not False and app is not None:
                keep(app, value)

        return click.Option(
            [name, *more], help=text, hidden=hidden, expose_value=False, callback=callback, default=None, **how
        )

    def flag(name: str) -> Callable[[App, Any], None]:
        return lambda app, value: app.flags.update({name: value})

    def attribute(name: str) -> Callable[[App, Any], None]:
        return lambda app, value: setattr(app, name, value)

    return [
        option(
            "--database-url",
            flag("--database-url"),
            "The database: postgresql://…, sqlite:///… or a path. Other users of the machine can "
            "see arguments: keep a password in the environment or in a file.",
            metavar="URL",
        ),
        option("--db-driver", flag("--db-driver"), "Which database: sqlite or postgres.", metavar="DRIVER"),
        option("--db-path", flag("--db-path"), "The file of a SQLite database, or ':memory:'.", metavar="FILE"),
        option(
            "--project",
            attribute("project_file"),
            "The project file, diglot.toml or pyproject.toml. By default the one in the current folder or in the "
            "nearest folder above.",
            "--config",
            metavar="FILE",
            type=click.Path(path_type=Path),
        ),
        option(
            "--format",
            attribute("format"),
            "The output format: a table for people (the default), or JSON for scripts.",
            type=click.Choice(["table", "json"]),
        ),
        option("--debug", attribute("debug"), "Show the traceback of an error.", is_flag=True),
    ]


@click.group(
    cls=LazyGroup,
    lazy={
        "migrate": "diglot.cli.root:migrate",
        "query": "diglot.cli.root:query",
        "generate": "diglot.cli.generate:generate",
        "check": "diglot.cli.check:check",
        "drift": "diglot.cli.drift:drift",
        "catalogue": "diglot.cli.catalogue:catalogue",
        "stats": "diglot.cli.look:stats",
        "doctor": "diglot.cli.look:doctor",
        "optimize": "diglot.cli.look:optimize",
        "backup": "diglot.cli.backup:group",
        "restore": "diglot.cli.backup:restore",
        "export": "diglot.cli.export:export",
        "import": "diglot.cli.export:import_",
        "copy": "diglot.cli.copy:copy",
        "completion": "diglot.cli.completion:completion",
    },
    more={
        "The state store of a workflow engine": {
            "quickstart": "diglot.statestore.cli.quickstart:quickstart",
            "init": "diglot.statestore.cli.init:init",
            "config": "diglot.statestore.cli.groups:config",
            "user": "diglot.statestore.cli.groups:user",
            "key": "diglot.statestore.cli.groups:key",
            "auth": "diglot.statestore.cli.groups:auth",
            "start": "diglot.statestore.cli.start:start",
            "workflow": "diglot.statestore.cli.groups:workflow",
            "prune": "diglot.statestore.cli.prune:prune",
        }
    },
    epilog="Exit codes: 0 done, 1 refused or found something, 2 usage or configuration, 3 database unavailable, "
    "130 interrupted.",
)
@click.version_option(__version__, prog_name="diglot", message="%(prog)s %(version)s")
def cli() -> None:
    """Work on a project whose SQL is written twice, for PostgreSQL and for SQLite.

    The nearest diglot.toml, in this folder or above, defines the project: it names its queries and migrations. Without
    one, the project is the state store that comes with Diglot: it records workflow executions, by default in
    ./data/app.db.

    \b
    Example:
      diglot quickstart
    """


cli.params.extend(global_options(hidden=False))

migrate = lazy_group(
    "migrate",
    "Bring the database's schema up to date, or roll it back.\n\n\b\nExample:\n  diglot migrate status",
    up="diglot.cli.migrate:up",
    down="diglot.cli.migrate:down",
    status="diglot.cli.migrate:status",
    new="diglot.cli.migrate:new",
    bless="diglot.cli.migrate:bless",
)
query = lazy_group(
    "query",
    "Show the project's queries, in both dialects.\n\n\b\nExample:\n  diglot query show tasks.list_tasks",
    list="diglot.cli.query:list_queries",
    show="diglot.cli.query:show",
)
