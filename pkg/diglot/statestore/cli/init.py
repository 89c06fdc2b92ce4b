"""``diglot init``: from nothing to a usable database."""

from __future__ import annotations

from typing import Any

import click

from diglot.statestore.cli.app import StoreApp, note, pass_app


@click.command()
@click.option("--admin", metavar="EMAIL", help="Create this first admin, and print the admin's API key once.")
@click.option("--key-name", metavar="NAME", help="The name of that key.")
@pass_app
def init(app: StoreApp, admin: str | None, key_name: str | None) -> None:
    """Create the database, bring its schema up to date and, with --admin, create the first admin.

    It can be run again: what already exists stays as it is. If there already is an admin, --admin is refused. On
    PostgreSQL the database itself must exist; its tables are created.

    \b
    Example:
      diglot init --admin ada@example.org
    """
    if key_name is not None and admin is None:
        raise click.UsageError("--key-name needs --admin EMAIL")
    with app.open(migrate=False) as db:
        applied = db.migrate()
        pairs: list[tuple[str, Any]] = [("database", db.store.location), ("migrated", len(applied))]
        data: dict[str, Any] = {"database": db.store.location, "migrated": applied}
        if admin is not None:
            user, issued = db.users.create_first_admin(admin, key_name)
            pairs += [("admin", user.email), ("key", issued.secret)]
            data |= {"admin": user, "key": issued.secret}
    app.out.record(pairs, data)
    if admin is not None:
        note("Keep the key: it is shown only this once and stored nowhere.")
