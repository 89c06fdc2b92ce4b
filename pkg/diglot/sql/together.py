"""Several reads in one consistent snapshot, with the types of each: ``together(session, call(…), call(…))``.

    state, tasks = together(session, call(queries.workflows.get_workflow, …), call(queries.tasks.latest_tasks, …))

A call is a query with its parameters, checked and encoded, but not yet run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, cast, overload

from diglot.sql.session import Row, Session, Statement, Values

if TYPE_CHECKING:
    from diglot.sql.query import RowQuery

P = ParamSpec("P")
R = TypeVar("R")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")


class Call(Generic[R]):
    """A query that returns rows, and its parameters."""

    __slots__ = ("answer", "statement")

    def __init__(self, statement: tuple[Statement, Values], answer: Callable[[list[Row]], R]) -> None:
        self.statement = statement
        self.answer = answer


def call(query: Callable[Concatenate[Session, P], R], /, *_: P.args, **parameters: P.kwargs) -> Call[R]:
    """A call of a query of the generated types. QueryArgumentError and InvalidValue as in a direct call."""
    loaded = cast("RowQuery", query)
    return Call(loaded.call(**parameters), loaded.answer)


@overload
def together(session: Session, a: Call[A], b: Call[B], /) -> tuple[A, B]: ...
@overload
def together(session: Session, a: Call[A], b: Call[B], c: Call[C], /) -> tuple[A, B, C]: ...
def together(session: Session, /, *calls: Call[Any]) -> tuple[Any, ...]:
    """The results of reads that see the same state of the database, in one round trip on PostgreSQL."""
    answers = session.together([each.statement for each in calls])
    return tuple(each.answer(rows) for each, rows in zip(calls, answers, strict=True))
