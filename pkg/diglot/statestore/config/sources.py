"""The four sources of settings, each read and checked separately: an error names its source.

An error shows what was found, except if that may be a secret: a password, an address, or the value of any setting that
looks like an address. Unreadable lines are named by their number, never by their text.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from dotenv.parser import parse_stream
from pydantic import ValidationError
from pydantic_settings import EnvSettingsSource

from diglot.errors import ConfigurationError
from diglot.project import names_trees
from diglot.project_file import read_project_file
from diglot.statestore.config.keys import KEYS, Key, Settings
from diglot.stores.sqlite.path import MEMORY
from diglot.text_file import NotText, decoded

OPTIONS = {"--database-url": "url", "--db-driver": "driver", "--db-path": "path", "database_url": "url"}
_NAME = re.compile(r"[A-Z][A-Z0-9_]*\Z")
_BARE_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,40}\Z")
_REVEALING = re.compile(r"@|://|pass|pwd|secret|\s*\w+\s*=", re.IGNORECASE)


class Found(NamedTuple):
    """A value and where it came from, ``DB_PORT (environment)``."""

    value: Any
    source: str


Layer = dict[str, Found]
"""The settings from one source: name to value."""


def from_flags(flags: Mapping[str, Any]) -> Layer:
    """Command-line options (``--db-path``) or arguments of ``statestore.open`` (``path``)."""
    given = {name: value for name, value in flags.items() if value is not None}
    unknown = [name for name in given if name not in KEYS and name not in OPTIONS]
    if unknown:
        raise ConfigurationError(f"unknown setting {unknown[0]!r}{_did_you_mean(unknown[0], {n: n for n in KEYS})}")
    values, labels = {}, {}
    for option, value in given.items():
        name = OPTIONS.get(option, option)
        values[name] = str(value) if isinstance(value, Path) else value
        labels[name] = option if option.startswith("--") else f"{name} (argument)"
    return _checked(values, labels)


def from_environment(env: Mapping[str, str]) -> Layer:
    """The process's variables. An empty variable counts as not set; an unknown ``DB_…`` is an error."""
    return _variables(env, "environment")


def from_dotenv(path: Path | None) -> Layer:
    """A ``.env`` file, if it exists: ``NAME=value`` lines, ``#`` comments, quotes; ``$NAME`` is not expanded."""
    if path is None:
        return {}
    try:
        bindings = list(parse_stream(StringIO(decoded(path.read_bytes()))))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigurationError(f"{path}: can't be read: {(error.strerror or 'unknown reason').lower()}") from None
    except NotText as error:
        raise ConfigurationError(f"{path}: {error}") from None
    variables = {}
    for binding in bindings:
        if binding.error or (binding.key is not None and binding.value is None):
            raise ConfigurationError(f"{path}: line {_first_line(binding.original)} is not NAME=value")
        if binding.key is not None:
            variables[binding.key] = binding.value or ""
    return _variables(variables, str(path))


def from_toml(path: Path | str | None) -> Layer:
    """``diglot.toml``: the one for the current folder (None), or this file, which must exist.

    The file of another project says nothing about the state store. Paths are relative to the file.
    """
    read = read_project_file(None if path is None else Path(path))
    if read is None or (path is None and names_trees(read)):
        return {}
    file = read.path
    values: dict[str, Any] = {}
    for name, value in read.tables.items():
        if name == "check" and isinstance(value, dict):
            continue  # ``diglot check`` reads it itself
        if name == "knowledge" and isinstance(value, dict):
            continue  # knowledge.py reads it: it is not a single value
        if name == "database" and isinstance(value, dict):
            for key in value:
                _known_in_toml(key, "database", file)
            values.update(value)
        elif name == "database":
            raise ConfigurationError(
                f'database ({file}): this is a section, [database]: put an address in it, as url = "…"'
            )
        else:
            _known_in_toml(name, "", file)
            values[name] = value
    layer = _checked(values, {name: f"{KEYS[name].dotted} ({file})" for name in values})
    return {name: found._replace(value=_from_here(name, found.value, read.folder)) for name, found in layer.items()}


def _from_here(name: str, value: Any, folder: Path) -> Any:
    """A relative path of a SQLite file, changed from relative to ``diglot.toml`` to relative to the current folder."""
    if folder == Path.cwd() or value == MEMORY:
        return value
    if name == "path":
        return str(folder / Path(value).expanduser())
    relative = name == "url" and value.startswith("sqlite:///") and not value.startswith(("sqlite:////", "sqlite:///~"))
    if relative and not value.startswith(f"sqlite:///{MEMORY}"):
        return f"sqlite:///{quote(str(folder))}/{value.removeprefix('sqlite:///')}"
    return value


def _known_in_toml(name: str, section: str, file: Path) -> None:
    if name in KEYS and KEYS[name].section == section:
        return
    dotted = f"{section}.{name}" if section else name
    if not _BARE_KEY.match(name):
        raise ConfigurationError(f"{file}: a key{f' in [{section}]' if section else ''} is not a plain word")
    if name in KEYS:
        where = f"in [{KEYS[name].section}]" if KEYS[name].section else "above the sections"
        raise ConfigurationError(f"{dotted} ({file}): this key belongs {where}")
    near = _did_you_mean(name, {"database": "[database]"} | {key.name: key.dotted for key in KEYS.values()})
    raise ConfigurationError(f"{dotted} ({file}): unknown key{near}")


def _variables(env: Mapping[str, str], place: str) -> Layer:
    known = {key.variable: key for key in KEYS.values()}
    for variable in env:
        if variable.startswith("DB_") and variable not in known:
            shown = variable if _NAME.match(variable) and len(variable) <= 60 else "a variable that begins with DB_"
            near = _did_you_mean(variable[3:], {name.removeprefix("DB_"): name for name in known})
            raise ConfigurationError(f"{shown} ({place}): unknown variable{near}")
    source = EnvSettingsSource(Settings)
    source.env_vars = {name: value for name, value in env.items() if value and name in known}
    values = {known[variable].name: value for variable, value in source().items()}
    return _checked(values, {name: f"{KEYS[name].variable} ({place})" for name in values})


def _checked(values: dict[str, Any], sources: dict[str, str]) -> Layer:
    """The values in their types. Raises ConfigurationError for the first value that is not allowed."""
    try:
        settings = Settings(**values)
    except ValidationError as error:
        location = error.errors(include_input=False, include_context=False, include_url=False)[0]["loc"][0]
        key = next(key for key in KEYS.values() if location in (key.name, key.variable))
        found = values[key.name]
        raise ConfigurationError(f"{sources[key.name]}: {_complaint(key, found)}") from None
    return {name: Found(getattr(settings, name), sources[name]) for name in values}


def _complaint(key: Key, found: Any) -> str:
    if key.name == "driver" and isinstance(found, str) and not _REVEALING.search(found):
        return f"unsupported database driver {found[:40]!r}: use {key.allowed}"
    secret = key.role.secret or isinstance(found, dict | list) or _REVEALING.search(str(found))
    if secret:
        return f"this value (hidden) can't be used: use {key.allowed}"
    return f"{_short(found)} can't be used: use {key.allowed}"


def _short(found: Any) -> str:
    text = repr(found)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _did_you_mean(name: str, allowed: Mapping[str, str]) -> str:
    """``allowed`` maps what is compared to what is shown: a common prefix would make all names similar."""
    near = difflib.get_close_matches(name, allowed, n=1, cutoff=0.6)
    return f": did you mean {allowed[near[0]]}?" if near else f": use one of {', '.join(allowed.values())}"


def _first_line(original: Any) -> int:
    """The line where the text of a binding begins: the parser includes the blank lines before it."""
    text: str = original.string
    return int(original.line) + text[: len(text) - len(text.lstrip())].count("\n")
