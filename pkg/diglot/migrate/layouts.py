"""How the files of a folder of migrations are named, and in which order they are applied: one small class a layout.

- ``Timestamped``, Diglot's own: ``YYYYMMDDhhmmss_name.sql`` with ``….rollback.sql``, under strict rules;
- ``Yoyo``: ``NAME.sql`` with ``NAME.rollback.sql``, ordered by ``-- depends:`` and by name;
- ``UpDown``: ``NAME.up.sql`` with ``NAME.down.sql``, ordered by the number at the beginning (golang-migrate, sqlx);
- ``Plain``: ``NAME.sql`` in the order of the names, without down migrations.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from graphlib import CycleError, TopologicalSorter
from typing import ClassVar

from diglot.errors import MigrationTreeError

ID = re.compile(r"(\d{14})_[a-z][a-z0-9_]*$")
"""A migration of Diglot's own layout."""
_NUMBER = re.compile(r"[Vv]?(\d+)")


class Layout:
    """``up`` and ``down`` are what follows a migration's id in the names of its files; no ``down``: there is none.

    ``own_transactions``: the tools of this layout allow files to begin and commit transactions themselves.
    """

    name: ClassVar[str]
    up: ClassVar[str] = ".sql"
    down: ClassVar[str | None] = None
    own_transactions: ClassVar[bool] = True

    def has(self, names: Collection[str]) -> bool:
        """Whether a folder with these files has this layout."""
        return self.down is not None and any(name.endswith(self.down) for name in names)

    def ups(self, names: Collection[str]) -> dict[str, str]:
        """The file of each migration by its id."""
        downs = set(self.downs(names).values())
        return {name.removesuffix(self.up): name for name in names if name.endswith(self.up) and name not in downs}

    def downs(self, names: Collection[str]) -> dict[str, str]:
        """The file of each down migration by the migration's id."""
        down = self.down
        return {} if down is None else {name.removesuffix(down): name for name in names if name.endswith(down)}

    def order(self, depends: Mapping[str, Sequence[str]]) -> list[str]:
        """The ids in the order in which they are applied; ``depends`` is what each names in its header."""
        return sorted(depends)

    def number(self, id: str) -> int | None:
        """The number that the id begins with."""
        found = _NUMBER.match(id)
        return int(found[1]) if found else None

    def next_id(self, ids: Sequence[str], name: str, now: datetime) -> str:
        """The id of a new migration: the next number, as wide as the last; the time where they are times."""
        last = _NUMBER.match(ids[-1]) if ids else None
        if last is None or len(last[1]) == 14:
            return f"{now.astimezone(UTC):%Y%m%d%H%M%S}_{name}"
        return f"{int(last[1]) + 1:0{len(last[1])}}_{name}"


class UpDown(Layout):
    name = "up and down files"
    up, down = ".up.sql", ".down.sql"

    def has(self, names: Collection[str]) -> bool:
        # Up files alone count too: as plain files they would be ordered by name, and get other ids once the first
        # down migration is written.
        return any(name.endswith((".up.sql", ".down.sql")) for name in names)

    def order(self, depends: Mapping[str, Sequence[str]]) -> list[str]:
        return sorted(depends, key=lambda id: (self.number(id) or 0, id))


class Yoyo(Layout):
    name = "yoyo"
    down = ".rollback.sql"
    own_transactions = False

    def order(self, depends: Mapping[str, Sequence[str]]) -> list[str]:
        if not any(depends.values()):
            return sorted(depends)
        graph: TopologicalSorter[str] = TopologicalSorter()
        for id in sorted(depends):
            graph.add(id, *(before for before in depends[id] if before in depends))
        try:
            graph.prepare()
        except CycleError as error:
            raise MigrationTreeError(f"{error.args[1][0]}{self.up}:1: it depends on itself") from error
        order: list[str] = []
        while graph.is_active():
            ready = sorted(graph.get_ready())
            order.extend(ready)
            graph.done(*ready)
        return order


class Timestamped(Yoyo):
    name = "Diglot's own"

    def has(self, names: Collection[str]) -> bool:
        return super().has(names) and any(ID.match(id) for id in self.ups(names))

    def order(self, depends: Mapping[str, Sequence[str]]) -> list[str]:
        return sorted(depends)


class Plain(Layout):
    name = "plain files"

    def has(self, names: Collection[str]) -> bool:
        return True


LAYOUTS: tuple[Layout, ...] = (UpDown(), Timestamped(), Yoyo(), Plain())


def layout_of(names: Collection[str]) -> Layout:
    """The layout of a folder with these ``.sql`` files."""
    return next(layout for layout in LAYOUTS if layout.has(names))
