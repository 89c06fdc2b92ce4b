"""Reads a TOML file that a person wrote: one clear line for what is wrong, however odd the file is.

An error says the reason and the place and never quotes a value, which may be a password.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from diglot.errors import ConfigurationError

MAX_BYTES = 256 * 1024
"""Settings are far smaller; the parser needs a second for a few megabytes."""
_DEEP_KEY = re.compile(r"""(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){20}""")
"""A key of more than 20 parts: the parser's time grows with the square of their number."""
_PLACE = re.compile(r" \((?P<place>at [^()]*)\)\Z")
_KEYS = re.compile(r" ?\(.*\)| '[^']{2,}'|: .*")


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a file; a byte order mark is skipped. ConfigurationError with the path, reason and place."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigurationError(f"{path} is larger than {MAX_BYTES // 1024} KiB: this is no file of settings")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"{path}: can't be read: {(error.strerror or 'unknown reason').lower()}") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not TOML (UTF-8 text is needed, byte {error.start} is none)") from None
    deep = _DEEP_KEY.search(text)
    if deep is not None:
        line = text.count("\n", 0, deep.start()) + 1
        raise ConfigurationError(f"{path} is not a file of settings: a key has more than 20 parts (at line {line})")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigurationError(f"{path} is not a file of settings: its values are nested too deeply") from None
    except ValueError as error:
        raise ConfigurationError(f"{path} is not TOML{_reason(str(error))}") from None


def _reason(message: str) -> str:
    """Why and where, without the keys and values that the parser's message may name."""
    found = _PLACE.search(message)
    reason = _KEYS.sub("", message[: found.start()] if found else message).strip()
    place = f" ({found['place']})" if found else ""
    return f": {reason[:1].lower()}{reason[1:]}{place}" if reason else place
