"""Small trees of migrations, written into a folder, and a migrator for them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from diglot.migrate import Migration, MigrationTree, Migrator
from diglot.migrate.layouts import Layout, Plain, Timestamped, UpDown, Yoyo
from diglot.sql.session import DIALECTS
from diglot.stores.store import Store

NOW = datetime(2026, 1, 31, 9, 5, 7, 123, tzinfo=UTC)
A, B, C = "20260101000000_a", "20260102000000_b", "20260103000000_c"


def write(folder: Path, id: str, up: str = "", down: str = "") -> None:
    """A migration in both dialects; by default it makes a table with the last letter of its id."""
    table = id[-1]
    for dialect in DIALECTS:
        (folder / dialect).mkdir(parents=True, exist_ok=True)
        (folder / dialect / f"{id}.sql").write_text(up or f"create table {table} (id integer not null);\n")
        (folder / dialect / f"{id}.rollback.sql").write_text(down or f"drop table {table};\n")


def write_abc(folder: Path) -> Path:
    """Three migrations: the tables a, b and c."""
    for id in (A, B, C):
        write(folder, id)
    return folder


def migrator(store: Store, folder: Path, timeout: float = 10.0) -> Migrator:
    return Migrator(store, MigrationTree.read(folder, store.dialect), timeout=timeout, clock=lambda: NOW)


# --- the same tree in each layout ---------------------------------------------------------------------------


class Names(NamedTuple):
    """How a layout's files are named: what precedes each letter in an id, and what follows the id."""

    kind: type[Layout]
    prefixes: dict[str, str]
    up: str
    down: str | None


def _prefixes(pattern: str, numbers: tuple[str, ...]) -> dict[str, str]:
    return {letter: pattern.format(number) for letter, number in zip("abzcd", numbers, strict=True)}


LAYOUTS: dict[str, Names] = {
    "own": Names(Timestamped, _prefixes("202601{}000000_", ("01", "02", "03", "10", "11")), ".sql", ".rollback.sql"),
    "yoyo": Names(Yoyo, _prefixes("00{}.", ("01", "02", "03", "10", "11")), ".sql", ".rollback.sql"),
    "up and down": Names(UpDown, _prefixes("{}_", ("1", "2", "3", "10", "11")), ".up.sql", ".down.sql"),
    "plain": Names(Plain, _prefixes("00{}_", ("01", "02", "03", "10", "11")), ".sql", None),
}
"""z is between b and c."""
WITH_DOWN = [name for name, names in LAYOUTS.items() if names.down is not None]


class Tree:
    """Migrations that make the tables a, b and c, in one layout; each is known by its letter."""

    def __init__(self, folder: Path, layout: str, letters: str = "abc") -> None:
        self.folder, self.layout, self.names = folder, layout, LAYOUTS[layout]
        for letter in letters:
            self.write(letter)

    def id(self, letter: str) -> str:
        return self.names.prefixes[letter] + letter

    def ids(self, letters: str) -> list[str]:
        return [self.id(letter) for letter in letters]

    def file(self, letter: str, *, down: bool = False) -> str:
        """The name of its file."""
        suffix = self.names.down if down else self.names.up
        assert suffix is not None, "plain files have no down migrations"
        return self.id(letter) + suffix

    def write(self, letter: str, up: str = "", down: str = "") -> None:
        """As the function ``write``; the down migration where the layout has one."""
        for dialect in DIALECTS:
            own = self.folder / dialect
            own.mkdir(parents=True, exist_ok=True)
            (own / self.file(letter)).write_text(up or f"create table {letter} (id integer not null);\n")
            if self.names.down is not None:
                (own / self.file(letter, down=True)).write_text(down or f"drop table {letter};\n")

    def remove(self, letter: str) -> None:
        for dialect in DIALECTS:
            for file in (self.folder / dialect).glob(f"{self.id(letter)}.*"):
                file.unlink()

    def migrator(self, store: Store, timeout: float = 10.0) -> Migrator:
        return migrator(store, self.folder, timeout)

    def states(self, store: Store) -> list[str]:
        return [status.state for status in self.migrator(store).status()]

    def letters(self, migrations: list[Migration]) -> str:
        """``abc``: which these are, in their order."""
        return "".join(migration.id[-1] for migration in migrations)
