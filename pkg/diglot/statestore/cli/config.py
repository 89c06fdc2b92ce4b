"""``diglot config``: which settings are in force, and where each came from."""

from __future__ import annotations

import click

from diglot.statestore.cli.app import StoreApp, pass_app


@click.command()
@pass_app
def show(app: StoreApp) -> None:
    """Show every setting in force and where it came from. Passwords are hidden; the database is not opened.

    \b
    Example:
      diglot config show
    """
    explained = app.config.explain()
    app.out.table(
        ["KEY", "VALUE", "SOURCE"],
        explained,
        {"settings": [{"key": key, "value": value, "source": source} for key, value, source in explained]},
    )
