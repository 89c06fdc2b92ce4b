"""``diglot key``: API keys. The secret is shown once, when the key is issued; later only its first characters."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import click

from diglot.cli.output import Output
from diglot.statestore.cli.app import StoreApp, note, pass_app
from diglot.statestore.cli.pages import page_options, print_page
from diglot.statestore.cli.user import find_user, user_argument
from diglot.statestore.models import IssuedKey

key_argument: Callable[..., Callable[..., None]] = click.argument("key_id", metavar="KEY_ID")
_SPAN = re.compile(r"([1-9][0-9]{0,5})([smhdw])\Z")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def _moment(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    """A time in UTC, from a span of time from now (``90d``), a date, or a time with its zone."""
    if value is None:
        return None
    span = _SPAN.match(value)
    now = datetime.now(UTC)
    try:
        if span:
            return now + timedelta(seconds=int(span[1]) * _SECONDS[span[2]])
        moment = datetime.fromisoformat(value)
        if len(value) <= 10:
            moment = moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        problem = f"{value!r} is not a time: use 90d, 12h, 2030-01-31 or 2030-01-31T09:05:00Z"
        raise click.BadParameter(problem, ctx, param) from None
    if moment.tzinfo is None:
        raise click.BadParameter(f"{value!r} has no time zone: write {value}Z for UTC", ctx, param)
    if moment <= now:
        raise click.BadParameter(f"{value!r} is in the past: use a time in the future", ctx, param)
    return moment.astimezone(UTC)


@click.command()
@user_argument
@click.option("--name", help="A name for the key, to tell it apart from others.")
@click.option(
    "--expires",
    callback=_moment,
    metavar="TIME",
    help="When the key expires: 90d, 12h, 2030-01-31 or 2030-01-31T09:05:00Z. By default never.",
)
@pass_app
def issue(app: StoreApp, user: str, name: str | None, expires: datetime | None) -> None:
    """Issue a key to a user, named by e-mail address or id, and print it: it is shown only once.

    \b
    Example:
      diglot key issue ada@example.org --name laptop --expires 90d
    """
    with app.open() as db:
        issued = db.api_keys.issue(find_user(db, user).id, name=name, expires_at=expires)
    print_issued(app.out, issued)


@click.command("list")
@user_argument
@page_options
@pass_app
def list_keys(app: StoreApp, user: str, limit: int, after: str | None) -> None:
    """List the keys of a user: their first characters, never the keys themselves.

    \b
    Example:
      diglot key list ada@example.org
    """
    with app.open() as db:
        page = db.api_keys.list(find_user(db, user).id, limit=limit, after=after)
    rows = [[key.id, key.prefix, key.name, key.created_at, key.last_used, key.expires_at] for key in page.items]
    print_page(app.out, ["ID", "PREFIX", "NAME", "CREATED", "LAST USED", "EXPIRES"], rows, page, "no keys")


@click.command()
@key_argument
@pass_app
def revoke(app: StoreApp, key_id: str) -> None:
    """Revoke a key, named by its id: it stops working at once.

    \b
    Example:
      diglot key revoke 01987b2c-4c1e-7d0a-9f3e-5a6b7c8d9e0f
    """
    with app.open() as db:
        db.api_keys.revoke(key_id)
    app.out.line(f"revoked {key_id}", {"revoked": key_id})


@click.command()
@key_argument
@pass_app
def rotate(app: StoreApp, key_id: str) -> None:
    """Replace a key, named by its id, with a new one, which is shown only once. The old key stops working at once.

    \b
    Example:
      diglot key rotate 01987b2c-4c1e-7d0a-9f3e-5a6b7c8d9e0f
    """
    with app.open() as db:
        issued = db.api_keys.rotate(key_id)
    print_issued(app.out, issued)


def print_issued(out: Output, issued: IssuedKey) -> None:
    """Prints a new key with its secret."""
    key = issued.api_key
    pairs = [("key", issued.secret), ("id", key.id), ("user", key.user_id), ("name", key.name)]
    out.record([*pairs, ("expires", key.expires_at or "never")], {"key": issued.secret, "api_key": key})
    note("Keep the key: it is shown only this once and stored nowhere.")
