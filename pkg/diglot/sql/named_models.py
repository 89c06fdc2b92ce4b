"""The row models of a project by the name of their module: the structs of ``shop.rows``, or ``shop.rows:MODELS``."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path

from diglot.errors import ConfigurationError
from diglot.sql.models import Models, is_struct, structs_of


def load_models(named: str, folder: Path) -> Models:
    """The structs by name. Modules are looked for in ``folder`` first. ConfigurationError if there are none."""
    module_name, _, attribute = named.partition(":")
    here = str(folder.absolute())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise ConfigurationError(f"models {named!r}: {module_name} can't be imported: {error}") from error
    if not attribute:
        found = structs_of(module)
    else:
        value = getattr(module, attribute, None)
        if not isinstance(value, Mapping) or not all(map(is_struct, value.values())):
            raise ConfigurationError(f"models {named!r}: {attribute} is not a dict from names to msgspec structs")
        found = dict(value)
    if not found:
        raise ConfigurationError(f"models {named!r}: it contains no msgspec struct")
    return found
