"""Merges the sources and decides which database it is.

In order of precedence, the first source that names a database (an explicit driver, else an address, else any
PostgreSQL setting, else a path) decides the driver. Lower sources may still add settings, but what they say about the
other driver does not count. An address (url, conn_string, path) is complete: no lower source changes a part of it,
except that a password that is alone in its source (DB_PASSWORD) is added to an address without one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from diglot.errors import ConfigurationError
from diglot.statestore.config import DEFAULT_PATH, HIDDEN, Config, Value
from diglot.statestore.config.keys import KEYS, NAMES, Driver
from diglot.statestore.config.sources import Found, Layer
from diglot.stores.settings import PostgresSettings, SQLiteSettings
from diglot.stores.url import parse_conninfo, parse_url

Settings = SQLiteSettings | PostgresSettings
GENERAL = ("auto_migrate", "migration_timeout")
WHERE = ("host", "port", "user", "dbname", "ssl_mode", "conn_string", "url")
"""The settings that say where a PostgreSQL database is: a password in the same source belongs to that database."""


class Decision(NamedTuple):
    """The driver, the source that decided, and how many layers from the top took part."""

    driver: Driver
    source: str
    depth: int


def lay_over(layers: Sequence[Layer]) -> Config:
    """The configuration from these sources, highest precedence first."""
    decision = _decide(layers)
    values: Layer = {}
    whole = False
    for depth, layer in enumerate(layers, start=1):
        if depth <= decision.depth:
            _refuse_other_driver(layer, decision)
        if not whole:
            whole = _place(layer, decision.driver, values)
        elif decision.driver == "postgres" and "password" in layer and not any(name in layer for name in WHERE):
            values.setdefault("password", layer["password"])
        for name, found in layer.items():
            role = KEYS[name].role
            if not role.decides and name not in ("driver", "url") and role.driver in (None, decision.driver):
                values.setdefault(name, found)
    sources = {name: found.source for name, found in values.items()} | {"driver": decision.source}
    general = {name: values.pop(name).value for name in GENERAL if name in values}
    return Config(database=_settings(decision, values), sources=sources, **general)


def shown_settings(database: Settings) -> list[tuple[str, Value]]:
    """(name, value) of each setting of this database, in the order of keys.py; secrets are hidden."""
    held = msgspec.structs.asdict(database)
    if isinstance(database, SQLiteSettings):
        held["pool_max"] = held["readers"]
    else:
        held["password"] = held["password"] and HIDDEN
    shown: list[tuple[str, Value]] = [(name, None if held[name] == "" else held[name]) for name in KEYS if name in held]
    for name, value in sorted(held.get("options", {}).items()):
        secret = ("pass" in name and name != "passfile") or "secret" in name
        shown.append((f"options.{name}", HIDDEN if secret else value))
    return shown


def _decide(layers: Sequence[Layer]) -> Decision:
    for depth, layer in enumerate(layers, start=1):
        claim = _claim(layer)
        if claim is not None:
            return Decision(*claim, depth)
    return Decision("sqlite", "default", len(layers))


def _claim(layer: Layer) -> tuple[Driver, str] | None:
    """The driver that this source chooses, and by which setting. Raises ConfigurationError if its settings disagree."""
    claims: list[tuple[Driver, str]] = []
    if "driver" in layer:
        claims.append((layer["driver"].value, layer["driver"].source))
    if "url" in layer:
        claims.append((_driver(_address(layer["url"], parse_url)), layer["url"].source))
    for name, found in layer.items():
        role = KEYS[name].role
        if role.decides and role.driver is not None:
            claims.append((role.driver, found.source))
    for driver, source in claims[1:]:
        if driver != claims[0][0]:
            raise ConfigurationError(
                f"{source} is for {NAMES[driver]}, but {claims[0][1]} chooses {NAMES[claims[0][0]]}: "
                "remove one of the two"
            )
    return claims[0] if claims else None


def _refuse_other_driver(layer: Layer, decision: Decision) -> None:
    """Refuses a setting for the other driver in a source that takes part in the decision."""
    for name, found in layer.items():
        driver = KEYS[name].role.driver
        if driver not in (None, decision.driver):
            raise ConfigurationError(
                f"{found.source} is only for {NAMES[driver]}, but the database is {NAMES[decision.driver]} "
                f"({decision.source}): remove it, or choose {NAMES[driver]}"
            )


def _place(layer: Layer, driver: Driver, values: Layer) -> bool:
    """Take the location of the database from this source; True if it was a complete address."""
    claim = _claim(layer)
    if claim is None or claim[0] != driver:
        return False
    given = {name: found for name, found in layer.items() if KEYS[name].role.decides and name != "conn_string"}
    addresses = [name for name in ("url", "conn_string") if name in layer]
    if len(addresses) == 2:
        raise _said_twice(layer["conn_string"], layer["url"])
    for address in addresses:
        found = layer[address]
        database = _address(found, parse_url if address == "url" else parse_conninfo)
        for part, value in _parts(database).items():
            if part in given and given[part].value != value:
                raise _said_twice(given[part], found)
            given.setdefault(part, Found(value, found.source))
    for name, found in given.items():
        values.setdefault(name, found)
    return bool(addresses) or "path" in given


def _address(found: Found, parse: Callable[[str], Settings]) -> Settings:
    try:
        return parse(found.value)
    except ConfigurationError as error:
        raise ConfigurationError(f"{found.source}: {error}") from None


def _parts(database: Settings) -> Layer:
    """The settings in an address: those that are not at their default."""
    fields = msgspec.structs.fields(database)
    held = {field.name: getattr(database, field.name) for field in fields}
    return {field.name: held[field.name] for field in fields if held[field.name] not in (field.default, {}, None)}


def _said_twice(one: Found, other: Found) -> ConfigurationError:
    return ConfigurationError(f"{one.source} and {other.source} both say where the database is: remove one of the two")


def _driver(database: Settings) -> Driver:
    return "sqlite" if isinstance(database, SQLiteSettings) else "postgres"


def _settings(decision: Decision, found: Layer) -> Settings:
    values = {name: item.value for name, item in found.items()}
    if decision.driver == "sqlite":
        if "pool_max" in values:
            values["readers"] = values.pop("pool_max")
        try:
            return SQLiteSettings(**{"path": DEFAULT_PATH, **values})
        except ConfigurationError as error:
            raise ConfigurationError(f"{found['path'].source}: {error}") from None
    for name in ("host", "dbname"):
        if not values.get(name):
            raise ConfigurationError(
                f"{KEYS[name].variable} is missing: {decision.source} chooses PostgreSQL, so set DATABASE_URL, or "
                f"DB_HOST and DB_NAME (database.host and database.dbname in diglot.toml)"
            )
    if "deadline" not in values and "statement_timeout" in values:
        values["deadline"] = values["statement_timeout"] + 5.0
    database = PostgresSettings(**values)
    _in_order(found, "pool_min", database.pool_min, "pool_max", database.pool_max)
    _in_order(found, "statement_timeout", database.statement_timeout, "deadline", database.deadline)
    return database


def _in_order(found: Layer, low: str, least: float, high: str, most: float) -> None:
    if least > most:
        source = found[low].source if low in found else found[high].source
        raise ConfigurationError(f"{source}: {low} is {least:g} and {high} is {most:g}: {low} can't be above {high}")
