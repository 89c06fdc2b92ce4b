"""What every test has: the fixtures of databases.py, and an environment without settings of the machine."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.databases import (
    SESSION_FOLDER,
    database_url,
    databases,
    db,
    migrated_url,
    own_postgres,
    pooled,
    postgres_url,
    postgres_url_of_module,
    session_folder,
    stop_servers,
    store,
)
from tests.postgres_server import new_session_folder, session_in_use

__all__ = [
    "database_url",
    "databases",
    "db",
    "migrated_url",
    "own_postgres",
    "pooled",
    "postgres_url",
    "postgres_url_of_module",
    "session_folder",
    "store",
]


# How long an example takes says more about what else the machine does than about the code.
# (In CI, Hypothesis has a profile of its own, which takes the same examples every time: the rest of it stays.)
settings.register_profile("diglot", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("diglot")


@pytest.fixture(autouse=True)
def without_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No DATABASE_URL, DB_… or libpq variable reaches a test; what a test wants, it sets."""
    monkeypatch.delenv("COVERAGE_PROCESS_START", raising=False)
    for name in list(os.environ):
        if name == "DATABASE_URL" or name.startswith(("DB_", "PG")):
            monkeypatch.delenv(name)


def pytest_configure(config: pytest.Config) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup, programs that the tests start would ignore it
    config.addinivalue_line("markers", "sqlite: runs on SQLite, so it runs again on the other SQLite library")
    config.addinivalue_line("markers", "postgres: needs a PostgreSQL server")
    config.addinivalue_line("markers", "older: on the older of the embedded PostgreSQL versions")
    config.addinivalue_line("markers", "browser: needs a chromium (on the PATH, or named by DIGLOT_CHROMIUM)")
    config.addinivalue_line("markers", "once: takes long, and is the same on every Python")
    worker: dict[str, Any] | None = getattr(config, "workerinput", None)
    folder = Path(worker["diglot_folder"]) if worker else new_session_folder()
    config.stash[SESSION_FOLDER] = folder
    in_use = ExitStack()
    in_use.enter_context(session_in_use(folder))
    config.add_cleanup(in_use.close)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """xdist, in the controller, for each worker."""
    node.workerinput["diglot_folder"] = str(node.config.stash[SESSION_FOLDER])


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput") and SESSION_FOLDER in config.stash:
        stop_servers(config.stash[SESSION_FOLDER])
