"""Typed query objects: one for each query of a file, called with a session and the parameters by name.

    queries.tasks.get_task(session, workflow_exec_id="w", task_exec_id="t")

Each combination of the conditional blocks is one static text, built on first use and kept; no text is
ever built from a value. What happens on every call is: check and encode the values, run, decode by position.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any, cast

from diglot.errors import InvalidValue, QueryArgumentError, QueryResultError
from diglot.sql.adapters import PositionalAdapter
from diglot.sql.combinations import worth_trying
from diglot.sql.decoding import Decoder, Decoders
from diglot.sql.encoding import SHORT, Encoder
from diglot.sql.header import QuerySource, words
from diglot.sql.parameters import count_of_rows, encoder
from diglot.sql.row_limits import row_limits
from diglot.sql.scanner import Kind, Token
from diglot.sql.session import Dialect, Row, Session, Statement, Values

_READING = frozenset({"select", "with", "values", "explain", "show", "table"})
_WRITING = frozenset({"insert", "update", "delete", "merge"})


class Variant:
    """One combination of the conditional blocks: the statement, and the parameter of each placeholder.

    ``given`` are the parameters whose blocks are there.
    """

    __slots__ = ("_values", "checked", "given", "order", "statement")

    def __init__(self, statement: Statement, order: list[str], given: tuple[str, ...]) -> None:
        self.statement = statement
        self.order = order
        self.given = given
        self.checked = False
        """Whether the columns of a result were compared with the model."""
        self._values = _picker(order)

    def values(self, encoded: Mapping[str, Any]) -> Values:
        """The values in the order of the placeholders."""
        return self._values(encoded)


class Query:
    """What all kinds have in common. ``source`` is the query as it is written in its file."""

    __slots__ = ("_adapter", "_conditions", "_encoders", "_variants", "source")

    def __init__(self, source: QuerySource, adapter: PositionalAdapter) -> None:
        self.source = source
        self._adapter = adapter
        self._conditions = source.conditions
        self._encoders: list[tuple[str, Encoder, bool, bool]] = [
            (p.name, encoder(p, adapter.dialect, adapter.max_document), p.nullable, p.type == "text" and not p.is_list)
            for p in source.parameters
        ]
        self._variants: dict[tuple[bool, ...], Variant] = {}
        limits = row_limits(source)
        if limits:
            self._encoders = [
                (
                    name,
                    count_of_rows(encode) if limits[name].plain else encode,
                    nullable and limits[name].guarded,
                    False,
                )
                if name in limits
                else (name, encode, nullable, is_text)
                for name, encode, nullable, is_text in self._encoders
            ]

    @property
    def dialect(self) -> Dialect:
        return self._adapter.dialect

    def variants(self) -> Iterator[Variant]:
        """Every combination of the conditional blocks; of many blocks those that are worth trying, see combinations.py.

        The first has none of the blocks, the last all.
        """
        for key in worth_trying(len(self._conditions)):
            yield self._variant(key)

    def bind(self, parameters: dict[str, Any]) -> tuple[Variant, Values]:
        """The variant that these parameters choose, and its values. The dictionary is consumed.

        QueryArgumentError for a missing or unknown parameter, InvalidValue for a value of the wrong type.
        """
        conditions = self._conditions
        key = tuple([parameters.get(name) is not None for name in conditions]) if conditions else ()
        try:
            for name, encode, nullable, is_text in self._encoders:
                value = parameters[name]
                # Most values are short plain text or None: they are handled without a call.
                if is_text and type(value) is str and len(value) <= SHORT and value.isascii() and "\0" not in value:
                    continue
                if value is not None:
                    parameters[name] = encode(value, name)
                elif not nullable:
                    raise InvalidValue(name, "a value is needed, not None")
        except KeyError:
            raise self._wrong_arguments(parameters) from None
        if len(parameters) != len(self._encoders):
            raise self._wrong_arguments(parameters)
        variant = self._variants.get(key) or self._variant(key)
        return variant, variant.values(parameters)

    def whole(self) -> Variant:
        """The variant with all conditional blocks."""
        return self._variant((True,) * len(self._conditions))

    def _variant(self, key: tuple[bool, ...]) -> Variant:
        found = self._variants.get(key)
        if found is None:
            given = tuple(name for name, on in zip(self._conditions, key, strict=True) if on)
            tokens = [
                token
                for segment in self.source.segments
                if segment.condition is None or segment.condition in given
                for token in segment.tokens
            ]
            found = self._variants.setdefault(key, self._build(tokens, given))
        return found

    def _build(self, tokens: list[Token], given: tuple[str, ...]) -> Variant:
        text, order = self._adapter.positional(_without_gaps(tokens))
        body = text.strip() if self.source.suffix == "#" else text.strip().rstrip(";").rstrip()
        writes, locks = _effects(tokens)
        statement = Statement(
            query=self.source.full_name,
            # The text comes only from a query file: this is the one place where it becomes literal.
            text=f"/* diglot:{self.source.full_name} */ {body}",
            writes=writes,
            locks=locks,
            idempotent=not writes or self.source.idempotent is not None,
        )
        return Variant(statement, order, given)

    def _wrong_arguments(self, given: Mapping[str, Any]) -> QueryArgumentError:
        declared = [p.name for p in self.source.parameters]
        missing = [name for name in declared if name not in given]
        unknown = [name for name in given if name not in declared]
        problems = [f"needs {', '.join(missing)}"] if missing else []
        problems += [f"does not know {', '.join(unknown)}"] if unknown else []
        return QueryArgumentError(f"query {self.source.full_name} {' and '.join(problems)}")

    def __repr__(self) -> str:
        return f"<query {self.source.full_name}{self.source.suffix} ({self.dialect})>"


class RowQuery(Query):
    """A query that returns rows."""

    __slots__ = ("_decoder",)

    def __init__(self, source: QuerySource, adapter: PositionalAdapter, decoders: Decoders) -> None:
        super().__init__(source, adapter)
        assert source.returns is not None  # noqa: S101 - the header reader made sure
        self._decoder: Decoder = decoders.of(
            source.returns, nullable=source.returns_nullable or source.suffix == "$"
        )  # a ValueQuery has a message of its own for NULL

    def decode(self, rows: list[Row]) -> list[Any]:
        """The models of rows that were fetched by ``Session.together``."""
        return self._decoder.rows(rows, self.source.full_name)

    def answer(self, rows: list[Row]) -> Any:
        """What a call returns for rows that were fetched by ``Session.together``."""
        raise NotImplementedError  # pragma: no cover - each kind has its own

    def call(self, **parameters: Any) -> tuple[Statement, Values]:
        """Statement and values for ``Session.together``."""
        variant, values = self.bind(parameters)
        return variant.statement, values

    def fetch(self, session: Session, parameters: dict[str, Any]) -> list[Any]:
        variant, values = self.bind(parameters)
        try:
            if variant.checked:
                rows = session.rows(variant.statement, values)
            else:
                names, rows = session.columns(variant.statement, values)
                self._decoder.check_columns(names, self.source.full_name)
                variant.checked = True
            return self._decoder.rows(rows, self.source.full_name) if rows else []
        except QueryResultError as error:
            raise self._after_write(error, session) from error

    def _after_write(self, error: QueryResultError, session: Session) -> QueryResultError:
        """Raised for an unusable result: if the statement writes, the error says whether that is stored."""
        if not any(variant.statement.writes for variant in self._variants.values()):
            return error
        stored = "is stored if the transaction commits" if session.in_transaction else "is stored"
        return QueryResultError(f"{error}; what the statement wrote {stored}")


class ListQuery(RowQuery):
    """No suffix: every row, at once."""

    __slots__ = ()

    def __call__(self, session: Session, /, **parameters: Any) -> list[Any]:
        return self.fetch(session, parameters)

    def answer(self, rows: list[Row]) -> list[Any]:
        return self.decode(rows)


class OneQuery(RowQuery):
    """``^``: the row, or None. Two rows are a QueryResultError."""

    __slots__ = ()

    def __call__(self, session: Session, /, **parameters: Any) -> Any:
        found = self.fetch(session, parameters)
        if len(found) == 1:
            return found[0]
        try:
            return self._only(found)
        except QueryResultError as error:
            raise self._after_write(error, session) from error

    def answer(self, rows: list[Row]) -> Any:
        return self._only(self.decode(rows))

    def _only(self, found: list[Any]) -> Any:
        if not found:
            return None
        if len(found) > 1:
            raise QueryResultError(f"query {self.source.full_name} should give one row, but gave {len(found)}")
        return found[0]


class ValueQuery(RowQuery):
    """``$``: the value of the only row. NULL or no row: None if the header says ``?``, else a QueryResultError."""

    __slots__ = ()

    def __call__(self, session: Session, /, **parameters: Any) -> Any:
        found = self.fetch(session, parameters)
        value = found[0] if len(found) == 1 else None
        if value is not None:
            return value
        try:
            return self._value(found)
        except QueryResultError as error:
            raise self._after_write(error, session) from error

    def answer(self, rows: list[Row]) -> Any:
        return self._value(self.decode(rows))

    def _value(self, found: list[Any]) -> Any:
        if len(found) > 1:
            raise QueryResultError(f"query {self.source.full_name} should give one value, but gave {len(found)} rows")
        value = found[0] if found else None
        if value is None and not self.source.returns_nullable:
            what = "NULL" if found else "no row"
            raise QueryResultError(
                f"query {self.source.full_name} gave {what}: its header says '-- returns: {self.source.returns}', "
                f"not '{self.source.returns}?'"
            )
        return value


class CountQuery(Query):
    """``!``: the number of rows changed."""

    __slots__ = ()

    def __call__(self, session: Session, /, **parameters: Any) -> int:
        variant, values = self.bind(parameters)
        return session.count(variant.statement, values)


class ManyQuery(Query):
    """``*!``: once for each mapping of parameters, all or nothing; the number of rows changed in all."""

    __slots__ = ()

    def __call__(self, session: Session, batch: Iterable[Mapping[str, Any]], /) -> int:
        bound = [self.bind(dict(parameters)) for parameters in batch]
        if not bound:
            return 0
        if any(variant is not bound[0][0] for variant, _ in bound):
            raise QueryArgumentError(f"query {self.source.full_name}: one batch needs the same conditional blocks")
        return session.many(bound[0][0].statement, [values for _, values in bound])


class ScriptQuery(Query):
    """``#``: several statements, all or nothing, no parameters."""

    __slots__ = ()

    def __call__(self, session: Session, /) -> None:
        session.script(self._variant(()).statement)


def make_query(source: QuerySource, adapter: PositionalAdapter, decoders: Decoders) -> Query:
    """The query object of the kind that the suffix names."""
    if source.suffix == "!":
        return CountQuery(source, adapter)
    if source.suffix == "*!":
        return ManyQuery(source, adapter)
    if source.suffix == "#":
        return ScriptQuery(source, adapter)
    row_kind: type[RowQuery] = {"": ListQuery, "^": OneQuery, "$": ValueQuery}[source.suffix]
    return row_kind(source, adapter, decoders)


def _picker(order: list[str]) -> Callable[[Mapping[str, Any]], Values]:
    if not order:
        return lambda _: ()
    if len(order) == 1:
        only = order[0]
        return lambda encoded: (encoded[only],)
    return cast(Callable[[Mapping[str, Any]], Values], itemgetter(*order))


def _without_gaps(tokens: list[Token]) -> list[Token]:
    """The same tokens without the empty lines that omitted blocks leave."""
    merged: list[Token] = []
    for token in tokens:
        if merged and token.kind is Kind.CODE and merged[-1].kind is Kind.CODE:
            merged[-1] = Token(Kind.CODE, merged[-1].text + token.text, merged[-1].start)
        else:
            merged.append(token)
    return [
        Token(Kind.CODE, re.sub(r"\n\s*\n", "\n", token.text), token.start) if token.kind is Kind.CODE else token
        for token in merged
    ]


def _effects(tokens: list[Token]) -> tuple[bool, bool]:
    """Whether the statement changes data, and whether it takes row locks (``for update``, ``for share`` …)."""
    found = list(words(tokens))
    locks = False
    writes = not found or found[0] not in _READING
    for i, word in enumerate(found):
        before = found[max(0, i - 3) : i]
        if word in ("update", "share") and "for" in before and set(before[before.index("for") + 1 :]) <= {"no", "key"}:
            locks = True
        elif word in _WRITING or (word == "replace" and found[i + 1 : i + 2] == ["into"]):
            writes = True
    return writes, locks
