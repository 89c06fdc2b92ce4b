"""A new migration: the four files, with the questions for its review.

They hold no SQL yet, so the runner refuses them until both dialects and both directions are written.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

from diglot.errors import MigrationError, MigrationTreeError
from diglot.migrate.tree import MigrationTree, check_pairs
from diglot.sql.session import DIALECTS, Dialect

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def new_migration(folder: Path, name: str, now: datetime) -> list[Path]:
    """Write the files of a migration into ``FOLDER/postgres`` and ``FOLDER/sqlite``, in the folder's layout; the paths.

    In Diglot's own layout they are ``ID.sql`` and ``ID.rollback.sql``, ID = ``now`` in UTC and the name.

    MigrationError for a name that is no identifier, for one that an existing migration has, and when a newer
    migration exists already. Nothing is overwritten; if a file can't be written, none is left.
    """
    if not _NAME.fullmatch(name) or len(name) > 80:
        raise MigrationError(
            f"{name!r} is not a valid name for a migration: use small letters, digits and _, as in add_versions"
        )
    trees = [MigrationTree.read(folder, dialect) for dialect in DIALECTS]
    check_pairs(*trees)
    layout, ids = trees[0].layout, trees[0].ids
    id = layout.next_id(ids, name, now)
    for existing in ids:
        if existing.partition("_")[2] == name:
            raise MigrationError(f"{existing} has this name already")
        if (layout.number(existing) or 0) >= (layout.number(id) or 0):
            raise MigrationError(f"{existing} is not older than {id}, so the new one would be out of order")
    suffixes = {layout.up: _UP} | ({layout.down: dict.fromkeys(DIALECTS, _DOWN)} if layout.down else {})
    texts = {
        folder / dialect / f"{id}{suffix}": text[dialect] for dialect in DIALECTS for suffix, text in suffixes.items()
    }
    return _write(texts)


def _write(texts: dict[Path, str]) -> list[Path]:
    written: list[Path] = []
    try:
        for path, text in texts.items():
            with path.open("x", encoding="utf-8", newline="\n") as file:
                written.append(path)
                file.write(text)
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        raise MigrationTreeError(f"{error.filename} can't be written: {error.strerror}") from error
    return written


_BOTH = """\
-- Why this change is made, in a sentence or two.
--
-- The review will ask (delete what is answered):
-- [ ] Expand, then contract: does the code that runs now work on the new schema, for one release?
-- [ ] Are tables, columns, keys, checks and indexes named the same in both dialects (pk_ fk_ uq_ ck_ ix_)?
-- [ ] Does each new not-null column have a constant default?
-- [ ] Does every new query use an index, and is no index a prefix of another?
"""
_UP: dict[Dialect, str] = {
    "postgres": _BOTH
    + """\
-- [ ] Which locks are taken, and for how long with the rows that production has?
-- [ ] An index on a table with many rows: `create index concurrently` in a migration of its own that is not
--     transactional, after `drop index concurrently if exists`.
-- [ ] A constraint on a table with many rows: `not valid` here, `validate constraint` in the next migration.
-- [ ] Is text `collate "C"`, every integer bigint, every time timestamptz?
""",
    "sqlite": _BOTH
    + """\
-- [ ] Is the table strict, `not null` written out on its key, JSON checked by json_valid(…) and json_type(…)?
-- [ ] A change that `alter table` can't make: a new table, `insert … select`, drop, rename, and its indexes again.
--     Foreign keys are off here and checked before the commit.
""",
}
_DOWN = """\
-- What is lost when this is rolled back, in a sentence.
--
-- The review will ask (delete what is answered):
-- [ ] Does it undo exactly what the migration did: is up, down, up the same schema as up?
-- [ ] Which rows or values are lost? If nothing can be undone, say so on a separate line instead:
--     rollback, a colon, and `nothing because …`
"""
