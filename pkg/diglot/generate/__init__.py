"""Typed protocols of a query tree: what a type checker and an editor know about ``queries.tasks.get_task``.

``modules`` creates the text of each file, ``stale`` compares it with the file on disk, ``write`` writes it. The
protocols only describe the loaded query objects: nothing in them runs.
"""

from diglot.generate.files import stale, write
from diglot.generate.modules import modules

__all__ = ["modules", "stale", "write"]
