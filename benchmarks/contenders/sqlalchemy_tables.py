"""The schema in SQLAlchemy's terms, and engines set up as its documentation says, for Core and ORM alike.

The engines are in AUTOCOMMIT, so that a single statement costs one round trip as it does elsewhere; calls of several
statements use an engine with transactions. JSON goes through the same encoder and decoder as in the hand-written code.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine

from benchmarks.contenders.sql_by_hand import json_text, parse
from diglot.statestore.models import TaskState

POOL_SQLITE, POOL_POSTGRES = 5, 10
"""As many connections as Diglot may open: four readers and a writer; ten."""


class UtcTime(TypeDecorator[datetime]):
    """timestamptz on PostgreSQL, text of fixed width on SQLite."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(String() if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name != "sqlite":
            return value
        return value.isoformat(timespec="microseconds")[:26] + "Z"

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return datetime.fromisoformat(value) if type(value) is str else value


_json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
_whole = BigInteger().with_variant(Integer(), "sqlite")

metadata = MetaData()
workflows = Table(
    "workflow_states",
    metadata,
    Column("workflow_exec_id", Text, primary_key=True),
    Column("workflow_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("usage", _json),
    Column("input", _json),
    Column("output", _json),
    Column("error", _json),
    Column("version", _whole, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
)
tasks = Table(
    "task_states",
    metadata,
    Column("workflow_exec_id", Text, primary_key=True),
    Column("task_exec_id", Text, primary_key=True),
    Column("task_id", Text, nullable=False),
    Column("workflow_id", Text, nullable=False),
    Column("component", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("execution_type", Text, nullable=False),
    Column("parent_state_id", Text),
    Column("agent_id", Text),
    Column("action_id", Text),
    Column("tool_id", Text),
    Column("usage", _json),
    Column("input", _json),
    Column("output", _json),
    Column("error", _json),
    Column("version", _whole, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
)


class Engines(NamedTuple):
    """``single`` runs statements that stand by themselves, ``writing`` and ``snapshot`` several in a transaction."""

    single: Engine
    writing: Engine
    snapshot: Engine

    def dispose(self) -> None:
        for engine in {self.single.pool: self.single, self.writing.pool: self.writing}.values():
            engine.dispose()


def open_engines(url: str) -> Engines:
    return _sqlite(url) if url.startswith("sqlite:") else _postgres(url)


def values_of(state: TaskState) -> dict[str, Any]:
    """A task as the values of an insert, without ``created_at`` and ``updated_at``."""
    found: dict[str, Any] = {name: getattr(state, name) for name in state.__struct_fields__[:15]}
    for name in ("usage", "error"):
        found[name] = msgspec.to_builtins(found[name])
    return found | {"version": 1}


def _sqlite(url: str) -> Engines:
    from diglot.stores.sqlite.library import library

    json: dict[str, Any] = {"json_serializer": json_text, "json_deserializer": parse}
    pool = {"pool_size": POOL_SQLITE, "max_overflow": 0}
    module = library()
    single = create_engine(url, module=module, isolation_level="AUTOCOMMIT", **json, **pool)
    writing = create_engine(url, module=module, **json, **pool)

    def set_pragmas(connection: Any, _: Any) -> None:
        for pragma in ("journal_mode = wal", "synchronous = full", "foreign_keys = on", "busy_timeout = 5000"):
            connection.execute(f"pragma {pragma}").fetchall()

    # SQLAlchemy's own recipe for transactions that begin when they say so.
    def no_implicit_begin(connection: Any, _: Any) -> None:
        connection.isolation_level = None

    def begin(connection: Any) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "begin immediate"))

    event.listen(single, "connect", set_pragmas)
    event.listen(writing, "connect", set_pragmas)
    event.listen(writing, "connect", no_implicit_begin)
    event.listen(writing, "begin", begin)
    return Engines(single, writing, writing.execution_options(sqlite_begin="begin"))


def _postgres(url: str) -> Engines:
    single = create_engine(
        url.replace("postgresql://", "postgresql+psycopg://", 1),
        isolation_level="AUTOCOMMIT",
        json_serializer=json_text,
        json_deserializer=parse,
        pool_size=POOL_POSTGRES,
        max_overflow=0,
        connect_args={"prepare_threshold": 0, "options": "-c timezone=UTC"},
    )
    return Engines(
        single,
        single.execution_options(isolation_level="READ COMMITTED"),
        single.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True),
    )
