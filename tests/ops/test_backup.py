"""Names that other tests of the operations import from here; the tests of backups are in ``tests/ops/backup``."""

from tests.ops.backup.conftest import filled, url
from tests.ops.backup.databases import contents, server_of
from tests.ops.backup.test_file import damaged

__all__ = ["contents", "damaged", "filled", "server_of", "url"]
