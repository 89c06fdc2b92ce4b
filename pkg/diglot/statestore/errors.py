"""What the state store refuses, and why. The docstring is the default message; diglot.errors has the kit's errors."""

from __future__ import annotations

from diglot.errors import DiglotError


class TraceError(DiglotError):
    """the trace can't be replayed"""


class NotFound(DiglotError, LookupError):
    """there is no such thing"""

    kind = "thing"

    def __init__(self, key: str) -> None:
        super().__init__(f"no {self.kind} {key!r}")
        self.key = key


class UserNotFound(NotFound):
    """there is no such user"""

    kind = "user"


class ApiKeyNotFound(NotFound):
    """there is no such API key"""

    kind = "API key"


class WorkflowNotFound(NotFound):
    """there is no such workflow execution"""

    kind = "workflow execution"


class TaskNotFound(NotFound):
    """there is no such task"""

    kind = "task"


class EmailExists(DiglotError):
    """a user with this e-mail address already exists"""


class LastAdmin(DiglotError):
    """this is the last admin: make another user an admin first"""


class AlreadyBootstrapped(DiglotError):
    """an admin already exists: ask that admin for a key"""


class InvalidApiKey(DiglotError):
    """the API key is not valid"""


class ApiKeyExpired(DiglotError):
    """the API key has expired: issue a new one"""


class ConcurrentUpdate(DiglotError):
    """somebody else has changed it since it was read: read it again and repeat the change"""


class UnknownReference(DiglotError):
    """the workflow execution or the parent task that it names does not exist"""


class TaskInOtherWorkflow(DiglotError):
    """a task with this id exists in another workflow execution"""


class WorkflowNotReady(DiglotError):
    """the workflow still has unfinished tasks"""
