"""The section ``[check]`` of ``diglot.toml``: what ``diglot check`` looks at in this project.

[check]
queries = "db/queries"
migrations = "db/migrations"
models = "shop.rows"
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from diglot.statestore.config import CONFIG_FILE
from diglot.toml_file import read_toml, settings_from


class CheckSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Folders are relative to the file. ``allowed`` is the file of accepted drift, ``only`` the checks that are run."""

    queries: str | None = None
    migrations: str | None = None
    models: str | None = None
    allowed: str | None = None
    postgres_url: str | None = None
    only: tuple[str, ...] = ()
    dialect: Literal["postgres", "sqlite"] | None = None


_ALLOWED = {"dialect": "use 'postgres' or 'sqlite'"}


def load_check(config_file: Path | None) -> CheckSettings:
    """What the file says, or ``diglot.toml`` of the working directory; ConfigurationError where it is not right."""
    file = config_file if config_file is not None else CONFIG_FILE
    if config_file is None and not file.exists():
        return CheckSettings()
    found = settings_from(read_toml(file).get("check", {}), CheckSettings, file, section="check", hints=_ALLOWED)
    folder = file.absolute().parent
    inside = {
        name: str(folder / value)
        for name in ("queries", "migrations", "allowed")
        if (value := getattr(found, name)) is not None
    }
    return msgspec.structs.replace(found, **inside)
