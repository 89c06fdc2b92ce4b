"""Which database, with which settings. Precedence: flags, environment, ``.env``, ``diglot.toml``, defaults.

``load()`` reads and checks each source separately (keys.py, sources.py), and merges them (choose.py). The source with
the highest precedence that names a database decides which one it is; what lower sources say about another database does
not count. Every value remembers where it came from, and a password is never shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from diglot.project import Configuration
from diglot.statestore.vectors.settings import KnowledgeSettings

DEFAULT_PATH = "./data/app.db"
HIDDEN = "***"
Value = str | int | float | bool | None


class Config(Configuration, frozen=True, kw_only=True):
    """The settings in force."""

    knowledge: KnowledgeSettings = KnowledgeSettings()

    @property
    def driver(self) -> str:
        """``sqlite`` or ``postgres``."""
        return self.dialect

    def explain(self) -> list[tuple[str, Value, str]]:
        """(key, value, source) of every setting in force, as in ``diglot.toml``; secrets are ``***``."""
        from diglot.statestore.config.choose import shown_settings
        from diglot.statestore.config.knowledge import shown_knowledge

        knowledge = self.sources.get("knowledge")
        return [
            ("auto_migrate", self.auto_migrate, self.sources.get("auto_migrate", "default")),
            ("database.driver", self.driver, self.sources.get("driver", "default")),
            *(
                (f"database.{name}", value, self.sources.get(name.partition(".")[0], "default"))
                for name, value in shown_settings(self.database)
            ),
            (
                "database.migration_timeout",
                self.migration_timeout,
                self.sources.get("migration_timeout", "default"),
            ),
            *((key, value, knowledge) for key, value in shown_knowledge(self.knowledge) if knowledge),
        ]


def load(
    *,
    config_file: Path | str | None = None,
    env: Mapping[str, str] | None = None,
    dotenv: Path | None = Path(".env"),
    flags: Mapping[str, Any] | None = None,
) -> Config:
    """The configuration in force. A ConfigurationError names the key, its source, what was found and what is allowed.

    ``config_file``: None uses the ``diglot.toml`` in the current folder or the nearest one above, if there is one.
    ``env``: None uses the process's environment. ``dotenv``: None reads no such file. ``flags``: settings by name
    (``host``) or by option (``--db-path``); None counts as not given.
    """
    import os

    from diglot.statestore.config import choose, sources
    from diglot.statestore.config.knowledge import load_knowledge

    layers = [
        sources.from_flags(flags or {}),
        sources.from_environment(os.environ if env is None else env),
        sources.from_dotenv(dotenv),
        sources.from_toml(config_file),
    ]
    config = choose.lay_over(layers)
    knowledge, file = load_knowledge(config_file)
    if not file:
        return config
    return msgspec.structs.replace(config, knowledge=knowledge, sources=config.sources | {"knowledge": file})
