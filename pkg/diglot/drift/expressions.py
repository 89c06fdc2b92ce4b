"""The meaning of an SQL expression, whichever dialect it is written in.

sqlglot reads the text; ``reading`` makes a form of the tree. Equal forms mean the same; unequal ones may still, and are
reported.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from diglot.drift.normal_form import Reader
from diglot.drift.reading import Scope
from diglot.drift.values import Form, joined, number_form, one_of
from diglot.sql.session import Dialect


def form(text: str, scope: Scope) -> Form:
    """The meaning of an expression. If sqlglot can't read it, its own text with white space normalized."""
    return _read(text, scope, Reader(scope).form)


def condition(text: str, scope: Scope) -> Form:
    """The meaning of a predicate: a boolean column by itself is ``= 1``."""
    return _read(text, scope, Reader(scope).condition)


def facts(text: str, scope: Scope) -> list[Form]:
    """What a CHECK requires, as separate facts: ``check (a and b)`` is ``check (a), check (b)``.

    A check that gives NULL passes, so ``c is null or length(c) < 9`` is ``length(c) < 9``.
    """
    found = list(dict.fromkeys(_split(condition(text, scope), scope)))
    for low in [each for each in found if each[0] == ">=" and each[2] == number_form(0)]:
        high = ("<=", low[1], number_form(1))
        if high in found and low[1][0] == "column" and scope.kinds.get(low[1][1]) in ("boolean", "integer"):
            found = [each for each in found if each not in (low, high)]
            found.append(one_of(low[1], {number_form(0), number_form(1)}))
    return found


def facts_with_text(text: str, scope: Scope) -> Iterator[tuple[Form, str]]:
    """The facts, each with the part of the CHECK that says it; the whole CHECK if several parts say it together."""
    parts = list(_conjuncts(_parsed(text, scope.dialect), scope.dialect))
    said = {fact: part for part in parts for fact in facts(part, scope)} if len(parts) > 1 else {}
    for fact in facts(text, scope):
        yield fact, said.get(fact, text)


def columns_of(of: Form) -> set[str]:
    """The columns that a form refers to."""
    return {each[1] for each in walk(of) if each[0] == "column"}


def walk(of: Form) -> Iterator[Form]:
    """The form and every form in it."""
    yield of
    for part in of[1:]:
        if isinstance(part, tuple) and part:
            if isinstance(part[0], str):
                yield from walk(part)
            else:
                for each in part:
                    if isinstance(each, tuple) and each:
                        yield from walk(each)


# --- facts -------------------------------------------------------------------------------------------------


def _split(of: Form, scope: Scope) -> Iterator[Form]:
    if of[0] == "and":
        for each in of[1]:
            yield from _split(each, scope)
        return
    if of[0] == "or":
        nulls = [each for each in of[1] if each[0] == "is null"]
        rest = [each for each in of[1] if each[0] != "is null"]
        if nulls and len(rest) == 1 and rest[0][0] == "and":
            for each in rest[0][1]:
                yield from _split(joined("or", [*nulls, each]), scope)
            return
        kept = [null for null in nulls if not _needless(null[1], rest, scope)]
        of = joined("or", [*kept, *rest]) if rest else of
        if of[0] != "or":
            yield from _split(of, scope)
            return
    if of[0] == "not" and of[1][0] == "is null" and of[1][1][0] == "column" and of[1][1][1] in scope.not_null:
        return
    if of[0] in ("=", "is") and of[1] == of[2]:
        return
    if of != number_form(1):
        yield of


def _needless(subject: Form, rest: list[Form], scope: Scope) -> bool:
    """``c is null or …`` adds nothing if c can't be null, or if the rest is NULL whenever c is, and so passes."""
    if subject[0] == "column" and subject[1] in scope.not_null:
        return True
    return bool(rest) and all(_null_with(each, subject) for each in rest)


def _null_with(of: Form, subject: Form) -> bool:
    """Whether it is NULL whenever the subject is: every part of it propagates NULL."""
    parts = list(walk(of))
    return subject in parts and all(part[0] in _HAND_NULL_ON for part in parts)


_HAND_NULL_ON = {
    *("=", "<>", "<", "<=", ">", ">=", "in", "not", "matches", "column", "text", "number", "instant", "blob", "cast"),
    *(
        "length",
        "octet_length",
        "lower",
        "upper",
        "trim",
        "ltrim",
        "rtrim",
        "substring",
        "left",
        "right",
        "replace",
        "collate",
        "-",
    ),
    *("add", "sub", "mul", "div", "mod", "abs", "round", "json_type", "json_valid", "json_array_length", "json text"),
}


def _conjuncts(tree: Any, dialect: Dialect) -> Iterator[str]:
    if isinstance(tree, exp.Paren):
        yield from _conjuncts(tree.this, dialect)
    elif isinstance(tree, exp.And):
        yield from _conjuncts(tree.this, dialect)
        yield from _conjuncts(tree.expression, dialect)
    elif tree is not None:
        yield tree.sql(dialect=dialect)


def _read(text: str, scope: Scope, how: Callable[[Any], Form]) -> Form:
    tree = _parsed(text, scope.dialect)
    return how(tree) if tree is not None else ("unread", " ".join(text.split()))


@functools.lru_cache(maxsize=4096)
def _parsed(text: str, dialect: Dialect) -> Any:
    """sqlglot's tree, which nobody changes; cached, because the same few texts recur.

    It is read as a part of a statement, because ``replace(a, 'x', 'y')`` alone would be one.
    """
    try:
        tree = sqlglot.parse_one(f"select (\n{text}\n)", dialect=dialect).expressions[0]
    except (SqlglotError, RecursionError):
        return None
    return None if tree.find(exp.Command) is not None else tree
