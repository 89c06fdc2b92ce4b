"""No password is ever shown, whatever went wrong and wherever it was written."""

from __future__ import annotations

from pathlib import Path

import pytest

from diglot.errors import ConfigurationError
from diglot.statestore.config.keys import KEYS
from tests.statestore.config.configuring import CANARY, PG, configure, postgres, refusal

MALFORMED = [
    f"postgresql://ada:{CANARY}@db:port/app",
    f"postgresql://ada:{CANARY}@db:99999/app",
    f"postgresql://ada:{CANARY}@[::1/app",
    f"postgresql://ada:{CANARY}@db/app?sslmode=maybe",
    f"postgresql://ada:{CANARY}@db/app?no_such_option=1",
    f"postgresql://ada:{CANARY}@db/app?password={CANARY}&password={CANARY}",
    f"postgresql://ada:{CANARY}%zz@db/app",
    f"postgresql://ada:{CANARY}/x@db/app",
    f"postgresql//ada:{CANARY}@db/app",
    f"postgresql:/ada:{CANARY}@db/app",
    f"postgresql+psycopg://ada:{CANARY}@db/app",
    f"mysql://ada:{CANARY}@db/app",
    f"ada:{CANARY}@db/app",
    f"://ada:{CANARY}@db/app",
    f"host=db password={CANARY} dbname=app",
    f"postgresql://ada:{CANARY}@db/app\x00",
    f"postgresql://ada:{CANARY}@db/a\npp",
]


@pytest.mark.parametrize("value", MALFORMED)
@pytest.mark.parametrize(
    "name",
    ["DATABASE_URL", "DB_CONN_STRING", "DB_PATH", "DB_HOST", "DB_NAME", "DB_PORT", "DB_DRIVER", "DB_LOCK_TIMEOUT"],
)
def test_an_address_in_whatever_setting_never_shows_its_password(name: str, value: str) -> None:
    rest = {"DB_HOST": {"DB_NAME": "n"}, "DB_NAME": {"DB_HOST": "h"}}.get(name, {})
    for sources in ({"env": {name: value, **rest}}, {"dotenv": f"{name}={value}\n", "env": rest}):
        Path(".env").unlink(missing_ok=True)
        try:
            config = configure(**sources)
        except ConfigurationError as error:
            chain = [error, error.__cause__, None if error.__suppress_context__ else error.__context__]
            assert not any(CANARY in str(link) + repr(link) for link in chain)
        else:
            assert CANARY not in f"{config!r} {config.explain()}"


@pytest.mark.parametrize("value", MALFORMED)
def test_an_address_in_the_file_never_shows_its_password(value: str) -> None:
    quoted = value.encode("unicode_escape").decode().replace('"', '\\"').replace("\\x", "\\u00")
    for toml in (
        f'database = "{quoted}"',
        f'[database]\nurl = ["{quoted}"]',
        f'[database]\nport = "{quoted}"',
        f"[database]\nurl = {value}",
        f'[database]\npassword = {{"{CANARY}" = 1}}',
        f'[database]\n"{quoted}" = 1',
    ):
        refusal(toml=toml)


def test_a_password_appears_in_no_form_of_the_configuration() -> None:
    config = configure(env={"DATABASE_URL": f"postgresql://ada:{CANARY}@db/app?sslpassword={CANARY}x"})
    assert postgres(config).password == CANARY
    assert CANARY not in f"{config!r} {config} {config.explain()} {config.database}"
    assert ("database.password", "***", "DATABASE_URL (environment)") in config.explain()
    assert ("database.options.sslpassword", "***", "DATABASE_URL (environment)") in config.explain()


def test_explain_names_every_setting_of_the_driver_once_and_says_when_there_is_no_password() -> None:
    keys = [key for key, _, _ in configure(env={"DATABASE_URL": PG}).explain()]
    assert len(keys) == len(set(keys))
    for key in KEYS.values():
        if key.name not in ("url", "conn_string") and key.role.driver in (None, "postgres"):
            assert key.dotted in keys
    shown = {key: value for key, value, _ in configure(env={"DATABASE_URL": PG}).explain()}
    assert shown["database.password"] is None
    shown = {key: value for key, value, _ in configure().explain()}
    assert shown["database.pool_max"] == 4
    assert "database.readers" not in shown
