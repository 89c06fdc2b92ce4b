"""How token usage adds up: entries of the same provider, model and source become one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from diglot.statestore.models import Usage, UsageEntry
from diglot.statestore.repositories.validation import check_usage

_Key = tuple[str, str, str]


def merge_usage(stored: Usage | None, added: Usage | None) -> Usage:
    """Both lists merged, sorted by provider, model and source. Raises InvalidValue, with the index, for a bad entry.

    Counts are added; an optional count that is absent on both sides stays absent; a total of 0 becomes prompt +
    completion; agent_ids are combined; captured_at is the earliest, updated_at the latest.
    """
    merged: dict[_Key, UsageEntry] = {}
    for entry in [*(stored or []), *(check_usage(added) or [])]:
        key = (entry.provider, entry.model, _source_key(entry.source))
        merged[key] = _with_total(entry) if key not in merged else _add(merged[key], _with_total(entry))
    return [merged[key] for key in sorted(merged)]


def _source_key(source: str | None) -> str:
    return (source or "").strip().casefold()


def _with_total(entry: UsageEntry) -> UsageEntry:
    return entry.replace(
        total_tokens=entry.total_tokens or entry.prompt_tokens + entry.completion_tokens,
        agent_ids=None if entry.agent_ids is None else sorted(set(entry.agent_ids)),
        source=None if entry.source is None else entry.source.strip(),
    )


def _add(a: UsageEntry, b: UsageEntry) -> UsageEntry:
    return a.replace(
        prompt_tokens=a.prompt_tokens + b.prompt_tokens,
        completion_tokens=a.completion_tokens + b.completion_tokens,
        total_tokens=a.total_tokens + b.total_tokens,
        reasoning_tokens=_sum(a.reasoning_tokens, b.reasoning_tokens),
        cached_prompt_tokens=_sum(a.cached_prompt_tokens, b.cached_prompt_tokens),
        input_audio_tokens=_sum(a.input_audio_tokens, b.input_audio_tokens),
        output_audio_tokens=_sum(a.output_audio_tokens, b.output_audio_tokens),
        agent_ids=_union(a.agent_ids, b.agent_ids),
        captured_at=_pick(min, a.captured_at, b.captured_at),
        updated_at=_pick(max, a.updated_at, b.updated_at),
    )


def _sum(a: int | None, b: int | None) -> int | None:
    return None if a is None and b is None else (a or 0) + (b or 0)


def _union(a: list[str] | None, b: list[str] | None) -> list[str] | None:
    return None if a is None and b is None else sorted({*(a or []), *(b or [])})


def _pick(choose: Callable[[list[datetime]], datetime], a: datetime | None, b: datetime | None) -> datetime | None:
    known = [at.astimezone(UTC) for at in (a, b) if at is not None]
    return choose(known) if known else None
