"""``diglot migrate``: the database's schema, step by step, forward and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from diglot.cli.app import App, note, pass_app
from diglot.cli.confirm import confirm, yes_option
from diglot.errors import MigrationError

if TYPE_CHECKING:
    from diglot.migrate.runner import Migrator
    from diglot.migrate.status import MigrationStatus
    from diglot.migrate.tree import Migration, MigrationTree

dry_run_option: Callable[..., Callable[..., None]] = click.option(
    "--dry-run", is_flag=True, help="Only show what would be done; change nothing."
)
show_sql_option: Callable[..., Callable[..., None]] = click.option(
    "--show-sql", is_flag=True, help="Also print the SQL, for review."
)


@click.command()
@click.argument("n", type=click.IntRange(min=1), required=False)
@dry_run_option
@show_sql_option
@pass_app
def up(app: App, n: int | None, dry_run: bool, show_sql: bool) -> None:
    """Apply the pending migrations, or the next N of them. Each is applied completely or not at all.

    Any number of processes may run it at once: every migration is applied once.

    \b
    Example:
      diglot migrate up --dry-run --show-sql
    """
    if dry_run and _missing_file(app) is not None:
        planned = list(_tree(app))[:n]
        note(f"{_missing_file(app)} does not exist yet")
    else:
        if not dry_run:
            app.refuse_memory()
        with _migrator(app) as migrator:
            planned = migrator.up(dry_run=True)[:n]
            if planned and not dry_run:
                planned = migrator.up(target=planned[-1].id)
    _report(app, planned, "would apply" if dry_run else "applied", dry_run, show_sql)


@click.command()
@click.argument("n", type=click.IntRange(min=1), default=1)
@dry_run_option
@show_sql_option
@yes_option
@pass_app
def down(app: App, n: int, dry_run: bool, show_sql: bool, yes: bool) -> None:
    """Roll back the newest migration, or the newest N. It asks first if that drops data.

    \b
    Example:
      diglot migrate down 1 --dry-run --show-sql
    """
    app.refuse_memory()
    if _missing_file(app) is not None:
        raise MigrationError(f"{_missing_file(app)} does not exist: there is nothing to roll back")
    with _migrator(app) as migrator:
        planned = migrator.down(n, dry_run=True)
        losses = [loss for migration in planned for loss in migrator.data_loss(migration)]
        if dry_run:
            for loss in losses:
                note(f"this would be lost: {loss}")
        elif planned:
            if losses and not yes:
                confirm(
                    losses,
                    doing="rolling back",
                    question="Roll back anyway?",
                    undone="nothing was rolled back",
                )
            planned = migrator.down(n)
    _report(app, planned, "would roll back" if dry_run else "rolled back", dry_run, show_sql, down=True)


@click.command()
@pass_app
def status(app: App) -> int:
    """Show which migrations are applied and which are pending. It changes nothing and creates nothing.

    The exit code is 1 if a migration was edited after it was applied, or is not known to this version.

    \b
    Example:
      diglot migrate status
    """
    missing = _missing_file(app)
    if missing is not None:
        from diglot.migrate.status import statuses

        note(f"{missing} does not exist yet")
        found: list[MigrationStatus] = statuses(_tree(app), [])
    else:
        with _migrator(app, read_only=True) as migrator:
            found = migrator.status()
    rows = [[one.id, one.state, one.applied_at] for one in found]
    app.out.table(["ID", "STATE", "APPLIED"], rows, {"migrations": found})
    wrong = [one for one in found if one.state in ("edited", "unknown")]
    for one in wrong:
        note(one.detail or f"{one.id} is not known to this version")
    return 1 if wrong else 0


@click.command()
@click.argument("name")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder that contains the trees postgres and sqlite. By default the project's, or else ./migrations.",
)
@pass_app
def new(app: App, name: str, folder: Path | None) -> None:
    """Write the four files of a new migration, up and rollback for both databases, with notes on what to consider.

    \b
    Example:
      diglot migrate new add_task_priority
    """
    from diglot.migrate.template import new_migration
    from diglot.project import Project
    from diglot.text_file import shown

    if folder is None:
        project = Project.find_or_none(app.project_file)
        folder = (project.migrations if project is not None else None) or Path("migrations")
    from diglot.database import utc_now

    files = [shown(file) for file in new_migration(folder, name, utc_now())]
    app.out.answer({"files": files}, lambda: click.echo("\n".join(files)))


@click.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@pass_app
def bless(app: App, ids: tuple[str, ...]) -> None:
    """Accept migrations whose files were edited after they were applied: all of them, or those named.

    \b
    Example:
      diglot migrate bless 20250603124835_create_workflow_states
    """
    app.refuse_memory()
    with _migrator(app) as migrator:
        accepted = [migration.id for migration in migrator.bless(ids or None)]
    app.out.answer({"blessed": accepted}, lambda: _lines(accepted, "accepted", "no migration was edited"))


# --- details -----------------------------------------------------------------------------------------------


@contextmanager
def _migrator(app: App, *, read_only: bool = False) -> Iterator[Migrator]:
    import msgspec

    from diglot.database import utc_now
    from diglot.migrate.runner import Migrator
    from diglot.stores import open_store
    from diglot.stores.settings import SQLiteSettings

    database = app.configuration.database
    if read_only and isinstance(database, SQLiteSettings):
        database = msgspec.structs.replace(database, read_only=True)
    with open_store(database) as store:
        yield Migrator(store, _tree(app), timeout=app.configuration.migration_timeout, clock=utc_now)


def _tree(app: App) -> MigrationTree:
    return app.project.migration_tree(app.configuration.dialect)


def _missing_file(app: App) -> Path | None:
    """The SQLite file, if it does not exist yet: looking at its migrations must not create it."""
    from diglot.stores.settings import SQLiteSettings

    database = app.configuration.database
    if not isinstance(database, SQLiteSettings) or database.path == ":memory:":
        return None
    path = Path(database.path)
    return None if path.exists() else path


def _report(
    app: App, migrations: Sequence[Migration], done: str, dry_run: bool, show_sql: bool, *, down: bool = False
) -> None:
    from diglot.migrate.runner import sql

    ids = [migration.id for migration in migrations]
    text = sql(migrations, down=down)
    data = {"rolled_back" if down else "applied": ids, "dry_run": dry_run} | ({"sql": text} if show_sql else {})

    def for_people() -> None:
        if show_sql:
            click.echo(text, nl=False)
        else:
            _lines(ids, done, "nothing to roll back" if down else "nothing to apply: the schema is up to date")

    app.out.answer(data, for_people)
    if show_sql and not app.out.is_json:
        note(f"{done}: {', '.join(ids) or 'nothing'}")


def _lines(ids: Sequence[str], done: str, none: str) -> None:
    for id in ids:
        click.echo(f"{done} {id}")
    if not ids:
        note(none)
