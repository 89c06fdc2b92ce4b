"""``diglot backup`` and ``diglot restore``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from diglot.cli.app import App, note, pass_app
from diglot.cli.confirm import confirm, yes_option
from diglot.cli.metrics_option import metrics_option, publishing
from diglot.cli.progress import progress_bar
from diglot.cli.root import LazyGroup
from diglot.errors import ConfigurationError
from diglot.text_file import shown

if TYPE_CHECKING:
    from diglot.ops.manifest import Manifest
    from diglot.stores.settings import PostgresSettings, SQLiteSettings


class BackupGroup(LazyGroup):
    """``diglot backup PATH`` is ``diglot backup create PATH``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.list_commands(ctx), "--help"):
            args = ["create", *args]
        return super().parse_args(ctx, args)


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    metavar="N",
    help="PATH is a folder: add a backup with the time in its name, and keep the newest N good backups.",
)
@metrics_option
@pass_app
def create(app: App, path: Path, keep: int | None, metrics_file: Path | None) -> None:
    """Back up the database to the new file PATH, even while it is in use. 'create' may be left out.

    The backup is checked, and records the row count and a hash of each table. SQLite: the file is a database that
    sqlite3 can open. PostgreSQL: it is a pg_dump archive of the connection's schema, for pg_restore, without roles and
    privileges.

    \b
    Example:
      diglot backup create app.backup
      diglot backup --keep 7 /var/backups/diglot
    """
    from diglot.database import utc_now
    from diglot.ops.backup import backup, backup_to_folder

    with publishing(metrics_file, "backup") as outcome:
        app.refuse_memory()
        settings = app.configuration.database
        app.yield_to_others()
        with progress_bar(app) as report:
            if keep is None:
                made = backup(settings, path, utc_now(), report)
            else:
                made = backup_to_folder(settings, path, utc_now(), keep=keep, report=report)
        outcome.figures.update(size_bytes=made.manifest.size, rows=made.manifest.rows)
    if made.manifest.form == "rows":
        note("there is no pg_dump for this server: the backup has only the rows, and the migrations create the schema")
    for old in made.removed:
        note(f"removed {shown(old)}")
    app.out.line(
        f"{shown(made.path)}: {_summary(made.manifest)}",
        {"path": str(made.path), "removed": [str(old) for old in made.removed], "manifest": made.manifest},
    )


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--postgres-url",
    metavar="URL",
    help="For a PostgreSQL backup: the server for its scratch database. By default an embedded one or, if that is not "
    "installed, the configured one.",
)
@pass_app
def verify(app: App, path: Path, postgres_url: str | None) -> None:
    """Restore a backup into a scratch database and compare every table with the backup's manifest.

    \b
    Example:
      diglot backup verify app.backup
    """
    from diglot.ops.restore import verify_backup

    with progress_bar(app) as report:
        manifest = verify_backup(
            path,
            project=app.project,
            postgres_url=postgres_url,
            settings=_configured(app),
            report=report,
        )
    app.out.line(f"{shown(path)}: good: {_summary(manifest)}", {"path": str(path), "manifest": manifest})


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="Replace the existing database, which is kept.")
@yes_option
@pass_app
def restore(app: App, path: Path, replace: bool, yes: bool) -> None:
    """Restore a backup, after comparing every table in it with the backup's manifest.

    With --replace the old database is kept: a SQLite file under another name in the same folder, the contents of a
    PostgreSQL schema in another schema of the same database. Before you replace a SQLite file, stop what uses it.

    \b
    Example:
      diglot restore app.backup --replace
    """
    from diglot.ops.restore import restore as restore_backup

    app.refuse_memory()
    if replace and not yes:
        confirm(
            ["everything written since the backup was made (the old database is kept)"],
            doing="restoring",
            question="Restore?",
            undone="nothing was restored",
        )
    with progress_bar(app) as report:
        done = restore_backup(app.project, path, app.configuration.database, replace=replace, report=report)
    if done.kept is not None:
        note(f"the old database is kept as {done.kept}: remove it when you no longer need it")
    app.out.line(f"restored {_summary(done.manifest)}", {"kept": done.kept, "manifest": done.manifest})


def _configured(app: App) -> SQLiteSettings | PostgresSettings | None:
    """The configured database; None if there is none: verifying a backup does not need it."""
    try:
        return app.configuration.database
    except ConfigurationError:
        return None


def _summary(manifest: Manifest) -> str:
    size = f"{manifest.size / 1e6:,.1f} MB"
    return (
        f"{manifest.rows:,} rows in {len(manifest.tables)} tables, {size}, {manifest.engine}, "
        f"made {manifest.created_at:%Y-%m-%d %H:%M:%S} UTC"
    )


group = BackupGroup(
    name="backup",
    help=(
        "Back up the database, and verify that a backup can be restored.\n\n"
        "'diglot backup PATH' is 'diglot backup create PATH'.\n\n\b\nExample:\n  diglot backup app.backup"
    ),
    lazy={"create": "diglot.cli.backup:create", "verify": "diglot.cli.backup:verify"},
)
