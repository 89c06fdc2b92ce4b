"""Diglot: a raw-SQL data layer in two dialects, PostgreSQL and SQLite, and the state store that stands on it.

import diglot

with diglot.open("sqlite:///data/app.db") as db:
    page = db.tasks.list(status="FAILED", limit=50)
"""

from diglot import errors as errors
from diglot import models as models
from diglot._version import __version__ as __version__
from diglot.database import Database as Database
from diglot.database import Transaction as Transaction
from diglot.database import open as open
from diglot.ids import new_id as new_id
from diglot.models import StateError as StateError
from diglot.models import TaskState as TaskState
from diglot.models import UsageEntry as UsageEntry
from diglot.models import WorkflowState as WorkflowState
