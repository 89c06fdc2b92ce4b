"""A process of its own that migrates: waits for a line on standard input, migrates, prints the ids as JSON.

Arguments: the database's URL, and the folder of the tree, or nothing for the packaged one.
"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

TIMEOUT = 180.0


def start(url: str, folder: Path | None = None) -> subprocess.Popen[str]:
    """The process, which has not begun yet: send it a line."""
    command = [sys.executable, "-m", "tests.migrate.child", url, *([str(folder)] if folder else [])]
    return subprocess.Popen(
        command,
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def main() -> None:
    from diglot.migrate import MigrationTree, Migrator
    from diglot.migrate.execution import Execution  # imports yoyo, so that all begin at the same moment
    from diglot.statestore.project import TREES
    from diglot.stores import open_store
    from diglot.stores.url import parse_url

    assert Execution
    url, *folder = sys.argv[1:]
    print("ready", flush=True)
    sys.stdin.readline()
    with open_store(parse_url(url)) as store:
        tree = MigrationTree.read(Path(folder[0]), store.dialect) if folder else TREES.migration_tree(store.dialect)
        migrator = Migrator(store, tree, timeout=TIMEOUT, clock=lambda: datetime.now(UTC))
        print(json.dumps([migration.id for migration in migrator.up()]))


if __name__ == "__main__":
    main()
