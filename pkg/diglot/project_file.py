"""Finds and reads the file that describes a project: ``diglot.toml``, or the table ``[tool.diglot]`` of pyproject.toml.

It is looked for in the current folder and then in each folder above. In one folder ``diglot.toml`` comes first. This is
the only reader of these files: each part of Diglot takes its own section from it, with ``section``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from diglot.errors import ConfigurationError
from diglot.toml_file import read_toml, settings_from

Settings = TypeVar("Settings", bound=msgspec.Struct)

NAME = "diglot.toml"
_SHARED_NAME, _TABLE = "pyproject.toml", "tool.diglot"


class ProjectFile(msgspec.Struct, frozen=True):
    """``path`` as errors show it: relative where the file is in the current folder. ``tables`` are its contents."""

    path: Path
    tables: dict[str, Any]

    @property
    def folder(self) -> Path:
        """What relative paths in the file are relative to."""
        return self.path.absolute().parent

    def section(self, name: str, kind: type[Settings], hints: Mapping[str, str] | None = None) -> Settings:
        """The section ``[name]`` as this struct; its defaults where the file has no such section.

        ConfigurationError names the key, the file and what is allowed. ``hints``: see ``settings_from``.
        """
        return settings_from(self.tables.get(name, {}), kind, self.path, section=name, hints=hints)


def find_file(folder: Path | None = None) -> Path | None:
    """The file of the project that this folder (by default the current one) belongs to; None where there is none."""
    here = (folder or Path()).absolute()
    for level in (here, *here.parents):
        for name in (NAME, _SHARED_NAME):
            if _is_project_file(level / name):
                return Path(name) if level == Path.cwd() else level / name
    return None


def read_project_file(path: Path | None = None) -> ProjectFile | None:
    """This file, which must exist, or the one that ``find_file`` finds; None where there is none.

    ConfigurationError where it cannot be read.
    """
    path = path if path is not None else find_file()
    if path is None:
        return None
    tables = read_toml(path)
    if path.name != _SHARED_NAME:
        return ProjectFile(path, tables)
    shared = tables.get("tool", {})
    found = shared.get("diglot") if isinstance(shared, dict) else None
    if not isinstance(found, dict):
        raise ConfigurationError(f"{path} has no table [{_TABLE}]")
    return ProjectFile(path, found)


def _is_project_file(path: Path) -> bool:
    """A pyproject.toml without our table is none, and what is wrong with it is not our business."""
    try:
        if path.name == _SHARED_NAME:
            return path.is_file() and f"[{_TABLE}".encode() in path.read_bytes()
        return path.is_file()
    except OSError:
        return False
