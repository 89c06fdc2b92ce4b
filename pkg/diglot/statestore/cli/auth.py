"""``diglot auth``: whose key is it? The key is never an argument: other users of the machine could see it."""

from __future__ import annotations

import os
import sys

import click

from diglot.statestore.cli.app import StoreApp, pass_app
from diglot.statestore.cli.user import print_user
from diglot.statestore.errors import InvalidApiKey

LONGEST = 256


@click.command()
@pass_app
def check(app: StoreApp) -> None:
    """Show whose API key it is, or end with exit code 1 if it is not valid.

    The key is read from the variable DIGLOT_API_KEY, or else from standard input.

    \b
    Example:
      diglot auth check < key.txt
    """
    secret = _key()
    with app.open() as db:
        print_user(app.out, db.api_keys.authenticate(secret))


def _key() -> str:
    secret = os.environ.get("DIGLOT_API_KEY", "").strip()
    if not secret and sys.stdin is not None:
        if sys.stdin.isatty():
            secret = click.prompt("API key", hide_input=True, err=True)
        else:
            try:
                secret = sys.stdin.readline(LONGEST).strip()
            except UnicodeDecodeError:
                raise InvalidApiKey from None
    if not secret:
        raise click.UsageError("no API key: set DIGLOT_API_KEY, or pass the key on standard input")
    return secret
