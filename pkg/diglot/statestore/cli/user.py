"""``diglot user``: the people and programs that have access. A user is named by id or by e-mail address."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from diglot.cli.confirm import confirm, yes_option
from diglot.cli.output import Output
from diglot.statestore.cli.app import StoreApp, pass_app
from diglot.statestore.cli.pages import page_options, print_page
from diglot.statestore.models import ROLES, Role, User

if TYPE_CHECKING:
    from diglot.statestore.database import Database

user_argument: Callable[..., Callable[..., None]] = click.argument("user", metavar="USER")


def find_user(db: Database, text: str) -> User:
    """The user with this e-mail address (which has an ``@``) or id. Raises UserNotFound."""
    return db.users.get_by_email(text) if "@" in text else db.users.get(text)


@click.command()
@click.argument("email")
@click.option("--role", type=click.Choice(ROLES), default="user", show_default=True, help="The user's role.")
@pass_app
def create(app: StoreApp, email: str, role: Role) -> None:
    """Create a user. Issue a key separately, with 'diglot key issue'.

    \b
    Example:
      diglot user create ada@example.org --role admin
    """
    with app.open() as db:
        print_user(app.out, db.users.create(email, role=role))


@click.command("list")
@page_options
@pass_app
def list_users(app: StoreApp, limit: int, after: str | None) -> None:
    """List the users, newest first, one page at a time.

    \b
    Example:
      diglot user list --limit 20
    """
    with app.open() as db:
        page = db.users.list(limit=limit, after=after)
    rows = [[user.id, user.email, user.role, user.created_at] for user in page.items]
    print_page(app.out, ["ID", "EMAIL", "ROLE", "CREATED"], rows, page, "no users")


@click.command()
@user_argument
@pass_app
def show(app: StoreApp, user: str) -> None:
    """Show one user, named by e-mail address or id.

    \b
    Example:
      diglot user show ada@example.org
    """
    with app.open() as db:
        print_user(app.out, find_user(db, user))


@click.command()
@user_argument
@click.option("--email", help="The new e-mail address.")
@click.option("--role", type=click.Choice(ROLES), help="The new role.")
@pass_app
def update(app: StoreApp, user: str, email: str | None, role: Role | None) -> None:
    """Change the e-mail address or the role of a user. The last admin stays an admin.

    \b
    Example:
      diglot user update ada@example.org --role admin
    """
    if email is None and role is None:
        raise click.UsageError("nothing to change: use --email or --role")
    with app.open() as db:
        print_user(app.out, db.users.update(find_user(db, user).id, email=email, role=role))


@click.command()
@user_argument
@yes_option
@pass_app
def delete(app: StoreApp, user: str, yes: bool) -> None:
    """Delete a user and all the user's keys. It asks first. The last admin can't be deleted.

    \b
    Example:
      diglot user delete ada@example.org
    """
    with app.open() as db:
        found = find_user(db, user)
        if not yes:
            confirm(
                [f"user {found.email} ({found.role}) and all the user's keys"],
                doing="deleting",
                question="Delete anyway?",
                undone="nothing was deleted",
            )
        db.users.delete(found.id)
    app.out.line(f"deleted {found.email} and all the user's keys", {"deleted": found.id})


def print_user(out: Output, user: User) -> None:
    """Prints one user in full."""
    out.record(
        [
            ("id", user.id),
            ("email", user.email),
            ("role", user.role),
            ("created", user.created_at),
            ("updated", user.updated_at),
        ],
        user,
    )
