"""The state store's groups of commands."""

from __future__ import annotations

from diglot.cli.root import lazy_group

config = lazy_group(
    "config",
    "Show which settings are in force.\n\n\b\nExample:\n  diglot config show",
    show="diglot.statestore.cli.config:show",
)
user = lazy_group(
    "user",
    "Manage the users who have access.\n\n\b\nExample:\n  diglot user create ada@example.org",
    create="diglot.statestore.cli.user:create",
    list="diglot.statestore.cli.user:list_users",
    show="diglot.statestore.cli.user:show",
    update="diglot.statestore.cli.user:update",
    delete="diglot.statestore.cli.user:delete",
)
key = lazy_group(
    "key",
    "Manage the API keys of users.\n\n\b\nExample:\n  diglot key issue ada@example.org --name laptop",
    issue="diglot.statestore.cli.key:issue",
    list="diglot.statestore.cli.key:list_keys",
    revoke="diglot.statestore.cli.key:revoke",
    rotate="diglot.statestore.cli.key:rotate",
)
auth = lazy_group(
    "auth",
    "Find out whose API key it is.\n\n\b\nExample:\n  diglot auth check < key.txt",
    check="diglot.statestore.cli.auth:check",
)
workflow = lazy_group(
    "workflow",
    "Record and inspect workflow executions.\n\n\b\nExample:\n  diglot workflow list --status FAILED",
    replay="diglot.statestore.cli.replay:replay",
    list="diglot.statestore.cli.workflow:list_workflows",
    show="diglot.statestore.cli.workflow:show",
    cancel="diglot.statestore.cli.workflow:cancel",
    stale="diglot.statestore.cli.workflow:stale",
    delete="diglot.statestore.cli.workflow:delete",
)
