"""The names of query files: each is an attribute of the loaded queries, and a module of the generated types."""

from __future__ import annotations

import keyword
import re

from aiosql.queries import Queries

_HIDES = "property"
"""A module of this name hides the decorator from the package that imports it."""
RESERVED = frozenset(name for name in dir(Queries(None)) if not name.startswith("__"))  # type: ignore[arg-type]
"""What aiosql itself uses as attributes: neither a file nor a query can have such a name."""
FORM = re.compile(r"[a-z][a-z0-9_]*")
RULE = "a query file is named in lower case with underscores, and not like a name that Python or aiosql uses"


def is_file_name(subject: str) -> bool:
    """Whether a query file can have this name, without ``.sql``."""
    return bool(FORM.fullmatch(subject)) and subject not in {_HIDES, *RESERVED} and not keyword.iskeyword(subject)
