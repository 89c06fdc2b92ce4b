"""The tree of commands. A command's module is imported when the command is asked for, so that each starts fast.

The global options may stand before the command and after it: people type both.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from diglot._version import __version__
from diglot.cli.app import App

EPILOG = "The global options of 'diglot --help' (--database-url, --format …) may stand here too."


class LazyGroup(click.Group):
    """A group whose commands are ``{name: "module:attribute"}``, in the order in which the help shows them."""

    def __init__(self, *args: Any, lazy: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = lazy

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
        """As click does it, with the whole first sentence of each command."""
        rows = [(name, self._load(name).get_short_help_str(limit=200)) for name in self._lazy]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

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
    """The options that every command takes. After the command they win over those before it."""

    def option(name: str, keep: Callable[[App, Any], None], text: str, **how: Any) -> click.Option:
        def callback(ctx: click.Context, _parameter: click.Parameter, value: Any) -> None:
            app = ctx.find_object(App)
            if value is not None and value is not False and app is not None:
                keep(app, value)

        return click.Option(
            [name], help=text, hidden=hidden, expose_value=False, callback=callback, default=None, **how
        )

    def flag(name: str) -> Callable[[App, Any], None]:
        return lambda app, value: app.flags.update({name: value})

    def attribute(name: str) -> Callable[[App, Any], None]:
        return lambda app, value: setattr(app, name, value)

    return [
        option(
            "--database-url",
            flag("--database-url"),
            "The database: postgresql://…, sqlite:///… or a path. A password is better kept in DB_PASSWORD: "
            "other users of the machine can see arguments.",
            metavar="URL",
        ),
        option("--db-driver", flag("--db-driver"), "Which database: sqlite or postgres.", metavar="DRIVER"),
        option("--db-path", flag("--db-path"), "The file of a SQLite database, or ':memory:'.", metavar="FILE"),
        option(
            "--config",
            attribute("config_file"),
            "The configuration file. By default diglot.toml of the current folder, if it is there.",
            metavar="FILE",
            type=click.Path(path_type=Path),
        ),
        option(
            "--format",
            attribute("format"),
            "How to print: a table for people (the default), or JSON for scripts.",
            type=click.Choice(["table", "json"]),
        ),
        option("--debug", attribute("debug"), "Show the traceback of an error.", is_flag=True),
    ]


@click.group(
    cls=LazyGroup,
    lazy={
        "quickstart": "diglot.statestore.cli.quickstart:quickstart",
        "init": "diglot.statestore.cli.init:init",
        "config": "diglot.cli.root:config",
        "migrate": "diglot.cli.root:migrate",
        "user": "diglot.cli.root:user",
        "key": "diglot.cli.root:key",
        "auth": "diglot.cli.root:auth",
        "start": "diglot.statestore.cli.start:start",
        "workflow": "diglot.cli.root:workflow",
        "query": "diglot.cli.root:query",
        "generate": "diglot.cli.generate:generate",
        "check": "diglot.cli.check:check",
        "drift": "diglot.cli.drift:drift",
        "catalogue": "diglot.cli.catalogue:catalogue",
        "completion": "diglot.cli.completion:completion",
    },
    epilog="Exit codes: 0 done, 1 refused or found something, 2 usage or configuration, 3 database unavailable, "
    "130 interrupted.",
)
@click.version_option(__version__, prog_name="diglot", message="%(prog)s %(version)s")
def cli() -> None:
    """Record workflow executions in PostgreSQL or SQLite, and look at them.

    The database is the one that the options, the environment (DATABASE_URL, DB_…), .env or diglot.toml name;
    without any it is ./data/app.db.

    \b
    Example:
      diglot quickstart
    """


cli.params.extend(global_options(hidden=False))

config = lazy_group(
    "config",
    "See which settings are in force.\n\n\b\nExample:\n  diglot config show",
    show="diglot.statestore.cli.config:show",
)
migrate = lazy_group(
    "migrate",
    "Bring the database's schema up to date, or back.\n\n\b\nExample:\n  diglot migrate status",
    up="diglot.cli.migrate:up",
    down="diglot.cli.migrate:down",
    status="diglot.cli.migrate:status",
    new="diglot.cli.migrate:new",
    bless="diglot.cli.migrate:bless",
)
user = lazy_group(
    "user",
    "Manage the users who may come in.\n\n\b\nExample:\n  diglot user create ada@example.org",
    create="diglot.statestore.cli.user:create",
    list="diglot.statestore.cli.user:list_users",
    show="diglot.statestore.cli.user:show",
    update="diglot.statestore.cli.user:update",
    delete="diglot.statestore.cli.user:delete",
)
key = lazy_group(
    "key",
    "Manage the API keys of users.\n\n\b\nExample:\n  diglot key issue ada@example.org --name laptop",
    issue="diglot.statestore.cli.key:issue",
    list="diglot.statestore.cli.key:list_keys",
    revoke="diglot.statestore.cli.key:revoke",
    rotate="diglot.statestore.cli.key:rotate",
)
auth = lazy_group(
    "auth",
    "Find out whose API key it is.\n\n\b\nExample:\n  diglot auth check < key.txt",
    check="diglot.statestore.cli.auth:check",
)
workflow = lazy_group(
    "workflow",
    "Record workflow executions and look at them.\n\n\b\nExample:\n  diglot workflow list --status FAILED",
    replay="diglot.statestore.cli.replay:replay",
    list="diglot.statestore.cli.workflow:list_workflows",
    show="diglot.statestore.cli.workflow:show",
    delete="diglot.statestore.cli.workflow:delete",
)
query = lazy_group(
    "query",
    "Look at the SQL that Diglot runs, in both dialects.\n\n\b\nExample:\n  diglot query show tasks.list_tasks",
    list="diglot.cli.query:list_queries",
    show="diglot.cli.query:show",
)
