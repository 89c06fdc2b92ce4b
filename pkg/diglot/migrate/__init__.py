"""Migrations: plain SQL files in two trees, applied to a database safely.

``tree`` reads the files, ``status`` compares them with what a database has, ``runner`` applies and rolls back,
``template`` writes new ones. yoyo keeps the records; ``bookkeeping`` explains what it would get wrong.
"""

from diglot.migrate.runner import Migrator, sql
from diglot.migrate.status import MigrationStatus
from diglot.migrate.template import new_migration
from diglot.migrate.tree import Migration, MigrationTree, check_pairs

__all__ = ["Migration", "MigrationStatus", "MigrationTree", "Migrator", "check_pairs", "new_migration", "sql"]
