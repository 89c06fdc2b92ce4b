"""``diglot quickstart``: runs everything once, for real, on the configured database, and shows the result.

Each step uses the same calls as any application: open, migrate, the first admin and its key, authentication, an
execution recorded task by task, and all of it read back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from diglot.errors import DiglotError
from diglot.statestore.cli.app import StoreApp, note, pass_app
from diglot.statestore.errors import AlreadyBootstrapped, ApiKeyNotFound, EmailExists, UserNotFound
from diglot.statestore.models import ApiKey, IssuedKey, TaskState, User, WorkflowState

if TYPE_CHECKING:
    from diglot.cli.output import Output
    from diglot.statestore.database import Database
    from diglot.statestore.trace.plan import Plan
    from diglot.statestore.trace.replay import Result

EMAIL = "quickstart@localhost.localdomain"
KEY_NAME, AGAIN_NAME = "quickstart", "quickstart, again"
AGAIN_VALID = timedelta(days=1)
PAGE = 1000


@click.command()
@click.option(
    "--admin",
    "email",
    metavar="EMAIL",
    default=EMAIL,
    show_default=True,
    help="The first admin, if there is none yet; else the user for the key.",
)
@pass_app
def quickstart(app: StoreApp, email: str) -> None:
    """Record a real workflow execution in the configured database, and show it. It can be run again.

    Brings the schema up to date, creates the first admin and a key, signs in with it, and plays the recording that
    comes with Diglot, its own test run. If an admin already exists, it creates a plain user instead. The key of the
    first run stays valid; a later run signs in with a key that is valid for a day.

    \b
    Example:
      diglot quickstart
    """
    from diglot.statestore.cli.replay import as_data, end, play
    from diglot.statestore.trace.plan import plan
    from diglot.statestore.trace.wfformat import bundled_trace

    planned = plan(bundled_trace())
    with app.open(migrate=False) as db:
        applied = db.migrate()
        user, issued, created = sign_in(db, email)
        if not app.out.is_json:
            _print_start(app.out, db, applied, user, issued, created)
        result = play(db, planned)
        if result.interrupt is None and result.error is None:
            run, tasks = read_back(db, result.runs[0].workflow_exec_id, planned)
        place = {
            "driver": db.store.dialect,
            "location": db.store.location,
            "server_version": db.store.server_version,
        }
    end(result)
    data = {
        "database": place,
        "migrated": applied,
        "user": user,
        "key": issued.secret,
        "workflow": run,
        "replay": as_data(planned, result),
        "targets": _targets(result),
    }
    app.out.answer(data, lambda: _print_run(app, result, run, tasks))


def sign_in(db: Database, email: str, now: datetime | None = None, page: int = PAGE) -> tuple[User, IssuedKey, bool]:
    """A user with a fresh key that was authenticated; True if the user is the first admin, created just now.

    A key that an earlier run has shown stays valid. The first key does not expire; the keys of later runs are valid for
    a day, and a run after that removes them.
    """
    _, issued, created = _account(db, email, now or datetime.now(UTC), page)
    return db.api_keys.authenticate(issued.secret), issued, created


def _account(db: Database, email: str, now: datetime, page: int) -> tuple[User, IssuedKey, bool]:
    try:
        user, issued = db.users.create_first_admin(email, KEY_NAME)
        return user, issued, True
    except AlreadyBootstrapped:
        user = _user(db, email)
    permanent = False
    for key in list(_keys(db, user, page)):
        permanent |= key.name == KEY_NAME and key.expires_at is None
        if key.name == AGAIN_NAME and key.expires_at is not None and key.expires_at < now:
            with suppress(ApiKeyNotFound):  # another run removed it just now
                db.api_keys.revoke(key.id)
    if permanent:
        return user, db.api_keys.issue(user.id, AGAIN_NAME, expires_at=now + AGAIN_VALID), False
    return user, db.api_keys.issue(user.id, KEY_NAME), False


def _user(db: Database, email: str) -> User:
    try:
        return db.users.get_by_email(email)
    except UserNotFound:
        pass
    try:
        return db.users.create(email)
    except EmailExists:  # another run created it just now
        return db.users.get_by_email(email)


def _keys(db: Database, user: User, page: int) -> Iterator[ApiKey]:
    after = None
    while True:
        found = db.api_keys.list(user.id, limit=page, after=after)
        yield from found.items
        after = found.next
        if after is None:
            return


def read_back(
    db: Database, workflow_exec_id: str, plan: Plan, page: int = PAGE
) -> tuple[WorkflowState, list[TaskState]]:
    """The execution and its tasks as they are stored. Raises DiglotError if they are not what was recorded."""
    run = db.workflows.get(workflow_exec_id, with_tasks=False)
    tasks: list[TaskState] = []
    after = None
    while True:
        groups = db.tasks.list(workflow_exec_id=workflow_exec_id, no_parent=True, limit=page, after=after)
        for group in groups.items:
            tree = db.tasks.tree(group.task_exec_id, workflow_exec_id=workflow_exec_id)
            tasks += [node.task for node in tree.nodes]
        after = groups.next
        if after is None:
            break
    expected = sorted([task.id for task in plan.trace.tasks] + [group.task_id for group in plan.groups])
    unfinished = (run.status != "SUCCESS") + sum(task.status != "SUCCESS" for task in tasks)
    if unfinished or sorted(task.task_id for task in tasks) != expected:
        raise DiglotError(
            f"execution {workflow_exec_id} was read back as {run.status} with {len(tasks)} tasks, {unfinished} in "
            f"total unfinished: {len(expected)} finished tasks were recorded"
        )
    return run, tasks


# --- what is shown ------------------------------------------------------------------------------------------------


def _print_start(out: Output, db: Database, applied: list[str], user: User, issued: IssuedKey, created: bool) -> None:
    migrated = f"{len(applied)} migrations applied" if applied else "up to date"
    pairs: list[tuple[str, Any]] = [
        ("database", f"{db.store.location}  ({db.store.server_version})"),
        ("schema", migrated),
        (user.role, f"{user.email}, {'created' if created else 'already exists'}"),
        ("key", issued.secret),
    ]
    out.record(pairs, None)
    if issued.api_key.expires_at is None:
        note("Signed in with the key. Keep it: it is shown only this once.")
    else:
        note("Signed in with this key, which is valid for a day. The key of the first run is still valid.")


def _print_run(app: StoreApp, result: Result, run: WorkflowState, tasks: list[TaskState]) -> None:
    from diglot.cli.output import console
    from diglot.statestore.cli.measures import print_latencies
    from diglot.statestore.cli.next_steps import next_steps
    from diglot.statestore.cli.tree import workflow_tree
    from diglot.statestore.durations import duration_text

    click.echo()
    console().print(workflow_tree(run, tasks, width=2, top=12))
    click.echo(f"\nrecorded in {duration_text(result.seconds)}, and read back from the database\n")
    print_latencies(app.out, result.latencies, targets=True)
    click.echo("\nWhat to try next")
    for command, purpose in next_steps(app, run.workflow_exec_id):
        click.echo(f"  # {purpose}\n  {command}")


def _targets(result: Result) -> dict[str, Any]:
    from diglot.statestore.cli.measures import TARGETS, meets

    measured = {"read": result.latencies.read, "write": result.latencies.write}
    return {kind: {"p99_ms": TARGETS[kind], "met": meets(kind, summary)} for kind, summary in measured.items()}
