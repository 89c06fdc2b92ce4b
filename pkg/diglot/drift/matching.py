"""Matches the objects on the left with those on the right."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Generic, Protocol, TypeVar

import msgspec


class Named(Protocol):
    @property
    def name(self) -> str | None: ...


N = TypeVar("N", bound=Named)


class Matched(msgspec.Struct, Generic[N], frozen=True):
    """``same`` mean the same; ``changed`` belong together, or one side is None."""

    same: list[tuple[N, N]]
    changed: list[tuple[N | None, N | None]]


def by_name(
    left: Iterable[str], right: Iterable[str], same_name: Callable[[str, str], bool]
) -> list[tuple[str | None, str | None]]:
    """Names in pairs, those of the left first; the exact name before one that differs in case."""
    left, rest = list(left), list(right)
    exact = set(left) & set(rest)
    found: list[tuple[str | None, str | None]] = []
    for name in left:
        same = (
            name if name in rest else next((each for each in rest if each not in exact and same_name(name, each)), None)
        )
        if same is not None:
            rest.remove(same)
        found.append((name, same))
    return found + [(None, name) for name in rest]


def by_meaning(
    left: Sequence[N],
    right: Sequence[N],
    meaning: Callable[[N, int], Hashable],
    target: Callable[[N, int], Hashable],
    fold: Callable[[str], str],
) -> Matched[N]:
    """First those with the same meaning, preferring the same name; then those with the same name; then those with
    the same target (the columns, the table that is referred to)."""
    matched: Matched[N] = Matched([], [])
    ones, others = list(left), list(right)

    def name(each: N, _: int) -> Hashable:
        return fold(each.name) if each.name else None

    def take(key: Callable[[N, int], Hashable], into: list[tuple[N, N]] | list[tuple[N | None, N | None]]) -> None:
        for one in list(ones):
            wanted = key(one, 0)
            same = next((other for other in others if wanted is not None and key(other, 1) == wanted), None)
            if same is not None:
                into.append((one, same))
                ones.remove(one)
                others.remove(same)

    take(lambda each, side: (meaning(each, side), name(each, side)), matched.same)
    take(meaning, matched.same)
    take(name, matched.changed)
    take(target, matched.changed)
    matched.changed.extend((one, None) for one in ones)
    matched.changed.extend((None, other) for other in others)
    return matched
