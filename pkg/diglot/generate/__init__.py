"""Typed protocols of a query tree: what a type checker and an editor know about ``queries.tasks.get_task``.

``modules`` makes the text of each file, ``stale`` compares them with what is there, ``write`` puts them there. The
protocols say what the loaded query objects do already: nothing of them runs.
"""

from diglot.generate.files import stale, write
from diglot.generate.modules import modules

__all__ = ["modules", "stale", "write"]
