"""Loads the configuration of sources that a test makes up, in the current folder, which a fixture keeps empty."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from diglot.errors import ConfigurationError
from diglot.statestore.config import Config, load
from diglot.stores.settings import PostgresSettings, SQLiteSettings

CANARY = "Hunter2-canary"
PG = "postgresql://ada@db.example.org:6432/app"


def configure(
    *,
    flags: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    dotenv: str | None = None,
    toml: str | None = None,
) -> Config:
    """The configuration of these sources, the two files written to the current folder."""
    if dotenv is not None:
        Path(".env").write_text(dotenv, "utf-8")
    if toml is not None:
        Path("diglot.toml").write_text(toml, "utf-8")
    return load(env=env or {}, flags=flags)


def postgres(config: Config) -> PostgresSettings:
    assert isinstance(config.database, PostgresSettings)
    return config.database


def sqlite(config: Config) -> SQLiteSettings:
    assert isinstance(config.database, SQLiteSettings)
    return config.database


def source_of(config: Config, key: str) -> str:
    return {name: source for name, _, source in config.explain()}[key]


def refusal(**sources: Any) -> str:
    with pytest.raises(ConfigurationError) as caught:
        configure(**sources)
    text = str(caught.value)
    assert "\n" not in text
    assert CANARY not in text
    return text
