"""The state store as a project: its trees are in this package, its database comes from its own configuration."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diglot.project import Project, check_settings
from diglot.project_file import read_project_file

if TYPE_CHECKING:
    from diglot.statestore.config import Config

ROWS = "diglot.statestore.repositories.rows"


class StateStore(Project, frozen=True, kw_only=True):
    """The project in the wheel."""

    def configuration(self, flags: Mapping[str, Any] | None = None) -> Config:
        """Flags, the environment, ``.env``, ``diglot.toml`` and the defaults; see ``diglot.statestore.config``."""
        from diglot.statestore.config import load

        return load(config_file=self.file, flags=flags)


def _folder(package: str) -> Path:
    """The installed folder of one of the state store's packages."""
    return Path(str(resources.files(f"diglot.statestore.{package}").joinpath("__init__.py"))).parent


TREES = StateStore(
    queries=_folder("sql"),
    migrations=_folder("migrations"),
    models=ROWS,
    generated=_folder("queries"),
    moments={"execution": ("workflow_states", "created_at")},
    roots={"workflow": ("workflow_states", "workflow_exec_id")},
)
"""The project without the settings of any file."""


def state_store(file: Path | None = None) -> StateStore:
    """The project, with the settings of this file or of the ``diglot.toml`` for the current folder."""
    read = read_project_file(file)
    if read is None:
        return TREES
    check = check_settings(read)
    return TREES.replace(file=read.path, check=check, dialects=(check.dialect,) if check.dialect else None)
