"""Small trees of migrations, written into a folder, and a migrator for them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from diglot.migrate import MigrationTree, Migrator
from diglot.stores.session import DIALECTS, Store

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


SUFFIXES = {"own": (".sql", ".rollback.sql"), "up and down": (".up.sql", ".down.sql"), "plain": (".sql", None)}
"""What follows the id in the names of the files, by layout."""


def as_layout(folder: Path, layout: str) -> Path:
    """The same migrations with the names that another layout gives them; plain files have no down migrations."""
    up, down = SUFFIXES[layout]
    for file in [file for dialect in DIALECTS for file in (folder / dialect).glob("*.sql")]:
        id = file.name.partition(".")[0]
        suffix = down if file.name.endswith((".rollback.sql", ".down.sql")) else up
        file.unlink() if suffix is None else file.rename(file.with_name(f"{id}{suffix}"))
    return folder


def remove(folder: Path, id: str) -> None:
    for dialect in DIALECTS:
        (folder / dialect / f"{id}.sql").unlink()
        (folder / dialect / f"{id}.rollback.sql").unlink()


def migrator(store: Store, folder: Path, timeout: float = 10.0) -> Migrator:
    return Migrator(store, MigrationTree.read(folder, store.dialect), timeout=timeout, clock=lambda: NOW)
