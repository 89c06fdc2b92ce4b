"""Every setting, defined once: its name, its variable, which driver it is for, and which values it takes.

A row of ``Settings`` is one setting. Its alias is the environment variable, its description completes the sentence
"use …" of the error. The sources, the errors and ``config show`` are derived from it.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from diglot.sql.encoding import MAX_DOCUMENT_LIMIT, MIN_DOCUMENT_LIMIT
from diglot.stores.settings import Pooler, SslMode

Driver = Literal["postgres", "sqlite"]
NAMES: dict[Driver, str] = {"postgres": "PostgreSQL", "sqlite": "SQLite"}


class Role(NamedTuple):
    """``driver``: the one this setting is for, None for both; ``decides``: whether setting it chooses that driver."""

    driver: Driver | None = None
    decides: bool = False
    secret: bool = False


COMMON, TUNES_POSTGRES, TUNES_SQLITE = Role(), Role("postgres"), Role("sqlite")
POSTGRES, SQLITE = Role("postgres", decides=True), Role("sqlite", decides=True)
ADDRESS, PASSWORD = Role(secret=True), Role("postgres", decides=True, secret=True)

_PASSWORD_IN_IT = re.compile(r":.*@|password\s*=", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?\Z")


def _number(value: Any) -> Any:
    """Text must be plain digits: pydantic also accepts ``1_0``, ``1e3``, ``true`` and ``nan`` as numbers."""
    if isinstance(value, bool) or (isinstance(value, str) and not _NUMBER.match(value.strip())):
        raise ValueError("not a number")
    return value


def _words(value: str) -> str:
    if not value.strip() or not value.isprintable():
        raise ValueError("empty, or with a character that can't be printed")
    return value


def _no_address(value: str) -> str:
    if "://" in value:
        raise ValueError("a whole address")
    return _words(value)


def _path(value: str) -> str:
    if value.startswith(("file:", "sqlite:")) or _PASSWORD_IN_IT.search(value):
        raise ValueError("a whole address")
    return _no_address(value)


def _name(value: str) -> str:
    """The name of a host or a database: anything else may be an address with a password, which must not be shown."""
    if any(character in "@=" for character in value):
        raise ValueError("not a name")
    return _no_address(value)


Text = Annotated[str, AfterValidator(_words)]
Part = Annotated[str, AfterValidator(_no_address)]
FilePath = Annotated[str, AfterValidator(_path)]
Name = Annotated[str, AfterValidator(_name)]
Whole = Annotated[int, BeforeValidator(_number)]
Seconds = Annotated[float, BeforeValidator(_number), Field(gt=0, le=86_400)]

SECONDS = "a number of seconds above 0, at most 86400"
BOOLEAN = "true or false"


def _setting(variable: str, allowed: str, **constraints: Any) -> Any:
    return Field(default=None, validation_alias=variable, description=allowed, **constraints)


class Settings(BaseSettings):
    """The values from one source; None for settings that it does not have. sources.py reads them."""

    model_config = SettingsConfigDict(
        case_sensitive=True, env_ignore_empty=True, extra="forbid", populate_by_name=True, hide_input_in_errors=True
    )

    auto_migrate: Annotated[bool | None, COMMON] = _setting("DB_AUTO_MIGRATE", BOOLEAN)
    driver: Annotated[Driver | None, COMMON] = _setting("DB_DRIVER", "'postgres' or 'sqlite'")
    url: Annotated[Text | None, ADDRESS] = _setting(
        "DATABASE_URL", "postgresql://USER@HOST:PORT/DBNAME, sqlite:///FOLDER/FILE.db or a path"
    )
    path: Annotated[FilePath | None, SQLITE] = _setting(
        "DB_PATH", "the path of a file, or ':memory:' (a whole address belongs in DATABASE_URL)"
    )
    synchronous: Annotated[Literal["full", "relaxed"] | None, TUNES_SQLITE] = _setting(
        "DB_SYNCHRONOUS", "'full' or 'relaxed'"
    )
    conn_string: Annotated[Text | None, PASSWORD] = _setting(
        "DB_CONN_STRING", "libpq's form: host=HOST user=USER dbname=DBNAME"
    )
    host: Annotated[Name | None, POSTGRES] = _setting(
        "DB_HOST", "a host name, an IP address or a socket's folder (a whole address belongs in DATABASE_URL)"
    )
    port: Annotated[Whole | None, POSTGRES] = _setting("DB_PORT", "a whole number from 1 to 65535", ge=1, le=65535)
    user: Annotated[Part | None, POSTGRES] = _setting("DB_USER", "the name of a database user")
    password: Annotated[str | None, PASSWORD] = _setting("DB_PASSWORD", "text")
    dbname: Annotated[Name | None, POSTGRES] = _setting(
        "DB_NAME", "the name of a database (a whole address belongs in DATABASE_URL)"
    )
    ssl_mode: Annotated[SslMode | None, POSTGRES] = _setting(
        "DB_SSL_MODE", "'disable', 'allow', 'prefer', 'require', 'verify-ca' or 'verify-full'"
    )
    pooler: Annotated[Pooler | None, TUNES_POSTGRES] = _setting("DB_POOLER", "'auto', 'none' or 'transaction'")
    pool_min: Annotated[Whole | None, TUNES_POSTGRES] = _setting(
        "DB_POOL_MIN", "a whole number from 0 to 1000", ge=0, le=1000
    )
    pool_max: Annotated[Whole | None, COMMON] = _setting("DB_POOL_MAX", "a whole number from 1 to 1000", ge=1, le=1000)
    pool_timeout: Annotated[Seconds | None, TUNES_POSTGRES] = _setting("DB_POOL_TIMEOUT", SECONDS)
    connect_timeout: Annotated[Seconds | None, TUNES_POSTGRES] = _setting("DB_CONNECT_TIMEOUT", SECONDS)
    statement_timeout: Annotated[Seconds | None, COMMON] = _setting("DB_STATEMENT_TIMEOUT", SECONDS)
    lock_timeout: Annotated[Seconds | None, COMMON] = _setting("DB_LOCK_TIMEOUT", SECONDS)
    idle_in_transaction_timeout: Annotated[Seconds | None, TUNES_POSTGRES] = _setting(
        "DB_IDLE_IN_TRANSACTION_TIMEOUT", SECONDS
    )
    deadline: Annotated[Seconds | None, TUNES_POSTGRES] = _setting("DB_DEADLINE", SECONDS)
    application_name: Annotated[Part | None, TUNES_POSTGRES] = _setting(
        "DB_APPLICATION_NAME", "text of at most 63 characters", max_length=63
    )
    max_document: Annotated[Whole | None, COMMON] = _setting(
        "DB_MAX_DOCUMENT",
        f"a whole number of bytes from {MIN_DOCUMENT_LIMIT} to {MAX_DOCUMENT_LIMIT}",
        ge=MIN_DOCUMENT_LIMIT,
        le=MAX_DOCUMENT_LIMIT,
    )
    migration_timeout: Annotated[Seconds | None, COMMON] = _setting("DB_MIGRATION_TIMEOUT", SECONDS)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic passes them by name
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


class Key(NamedTuple):
    """A setting's names; ``section`` is its section in ``diglot.toml`` ('' above the sections)."""

    name: str
    variable: str
    section: str
    role: Role
    allowed: str

    @property
    def dotted(self) -> str:
        return f"{self.section}.{self.name}" if self.section else self.name


def _keys() -> dict[str, Key]:
    found = {}
    for name, field in Settings.model_fields.items():
        role = next(item for item in field.metadata if isinstance(item, Role))
        section = "" if name == "auto_migrate" else "database"
        found[name] = Key(name, str(field.validation_alias), section, role, field.description or "")
    return found


KEYS = _keys()
"""By name, in the order of ``config show``."""
