"""Vectors in Redis 8, as a vector set: HNSW in memory, by cosine, with a filter on each element's attributes.

The filter language treats true as 1 and has no nested lists, so an element has its metadata twice: as it is, and as one
list of tokens (matching.py) with their names, for filters of the form ``"name token" in .t``. The list is short and
comes first: a filter reads an element's attributes from the start for each of its values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

import msgspec
import redis
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    ConnectionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TimeoutError,
)

from diglot.errors import (
    ConfigurationError,
    DatabaseError,
    DatabaseFull,
    DatabaseReadOnly,
    DatabaseTimeout,
    DatabaseUnavailable,
)
from diglot.statestore.vectors.checks import Checked, in_batches
from diglot.statestore.vectors.matching import Wanted, tokens
from diglot.statestore.vectors.providers import RedisOptions
from diglot.statestore.vectors.records import Match
from diglot.statestore.vectors.settings import VectorSettings
from diglot.stores.settings import PostgresSettings

if TYPE_CHECKING:
    from diglot.statestore.vectors.checks import Vector

_BATCH = 200
"""Records per MULTI: other clients wait for that long."""
_LONG = 64
EFFORT = 1_000_000
"""How many elements a filtered search examines before it gives up."""
_QUANTIZATION = {"none": ("NOQUANT", b"f32"), "int8": ("Q8", b"int8"), "binary": ("BIN", b"bin")}
_DELETE_MATCHING = """
local found = redis.call('VSIM', KEYS[1], 'FP32', ARGV[1], 'COUNT', redis.call('VCARD', KEYS[1]),
    'FILTER', ARGV[2], 'TRUTH')
for _, element in ipairs(found) do redis.call('VREM', KEYS[1], element) end
return #found
"""


class Attributes(msgspec.Struct, frozen=True):
    text: str
    metadata: dict[str, Any]


_attributes = msgspec.json.Decoder(Attributes).decode


def open_engine(
    settings: VectorSettings, _database: PostgresSettings | None = None, *, effort: int = EFFORT
) -> RedisEngine:
    """Raises ConfigurationError if Redis has no vector sets, or if the set has another dimension or quantization."""
    options = cast(RedisOptions, settings.typed_options())
    try:
        client = redis.Redis.from_url(
            settings.url or "", protocol=3, socket_timeout=options.timeout, socket_connect_timeout=options.timeout
        )
    except ValueError:
        raise ConfigurationError("the address of redis is invalid: use redis://HOST:6379/0") from None
    engine = RedisEngine(settings, options, client, effort)
    try:
        engine.prepare()
    except BaseException:
        engine.close()
        raise
    return engine


class RedisEngine:
    def __init__(self, settings: VectorSettings, options: RedisOptions, client: Any, effort: int) -> None:
        self._effort = effort
        self._settings = settings
        self._options = options
        self._client = client
        self._key = options.key or f"diglot:vectors:{settings.id}"
        self._quantization, self._stored_as = _QUANTIZATION[options.quantization]
        self._m = options.m

    def prepare(self) -> None:
        with self._errors():
            try:
                found = self._client.execute_command("VINFO", self._key)
            except ResponseError as error:
                if "unknown command" not in str(error):
                    raise
                raise ConfigurationError(
                    f"{self._settings.shown_url()} has no vector sets: Redis 8 or newer is needed"
                ) from error
        if found is None:
            return  # a vector set without elements does not exist
        dimension, stored_as = found[b"vector-dim"], found[b"quant-type"]
        if (dimension, stored_as) != (self._settings.dimension, self._stored_as):
            raise ConfigurationError(
                f"the vector set {self._key!r} has dimension {dimension} and holds {stored_as.decode()}, not "
                f"{self._settings.dimension} and {self._stored_as.decode()}: set those, or choose another key"
            )
        self._m = found[b"hnsw-m"]  # a set keeps the M that it was created with, and refuses another

    def upsert(self, records: list[Checked]) -> None:
        for batch in in_batches(records, _BATCH):
            with self._errors(), self._client.pipeline(transaction=True) as pipeline:
                for record in batch:
                    pipeline.execute_command(
                        *("VADD", self._key, "FP32", record.vector.tobytes(), record.id, self._quantization),
                        *("EF", self._options.ef_construction, "SETATTR", _encoded(record), "M", self._m),
                    )
                pipeline.execute()

    def search(self, vector: Vector, top_k: int, wanted: Wanted) -> list[Match]:
        effort = ("EF", max(self._options.ef_search, top_k))
        found = self._nearest(vector, top_k, wanted, *effort, *(("FILTER-EF", self._effort) if wanted else ()))
        if len(found) < top_k:
            # A search through the graph sometimes ends early: only a linear scan shows whether these are all.
            found = self._nearest(vector, top_k, wanted, "TRUTH")
        return found

    def delete_ids(self, ids: list[str]) -> int:
        with self._errors(), self._client.pipeline(transaction=True) as pipeline:
            for id in ids:
                pipeline.execute_command("VREM", self._key, id)
            return sum(int(removed) for removed in pipeline.execute())

    def delete_matching(self, wanted: Wanted) -> int:
        if not self.count():
            return 0
        anywhere = b"\0\0\x80\x3f" + bytes(4 * (self._settings.dimension - 1))
        with self._errors():
            deleted: int = self._client.eval(_DELETE_MATCHING, 1, self._key, anywhere, _filter(wanted))
        return deleted

    def count(self) -> int:
        with self._errors():
            found: int = self._client.execute_command("VCARD", self._key)
        return found

    def close(self) -> None:
        self._client.close()

    def _nearest(self, vector: Vector, top_k: int, wanted: Wanted, *effort: Any) -> list[Match]:
        command = ["VSIM", self._key, "FP32", vector.tobytes(), "WITHSCORES", "WITHATTRIBS", "COUNT", top_k, *effort]
        if wanted:
            command += ["FILTER", _filter(wanted)]
        with self._errors():
            found: dict[bytes, tuple[float, bytes]] = dict(self._client.execute_command(*command))
        matches = []
        for id, (score, attributes) in found.items():
            kept = _attributes(attributes)
            # Redis returns (1 + cosine) / 2.
            matches.append(Match(id.decode(), kept.text, kept.metadata, 2 * score - 1))
        return matches

    @contextmanager
    def _errors(self) -> Iterator[None]:
        where = self._settings.shown_url()
        try:
            yield
        except TimeoutError as error:
            why = f"redis did not answer within {self._options.timeout:g} s: raise options.timeout"
            raise DatabaseTimeout(why) from error
        except (AuthenticationError, AuthorizationError) as error:
            raise DatabaseUnavailable(f"redis at {where} refuses the user or the password of the url") from error
        except ConnectionError as error:
            raise DatabaseUnavailable(f"redis at {where} can't be reached") from error
        except OutOfMemoryError as error:
            raise DatabaseFull(f"redis at {where} is full: raise its maxmemory") from error
        except ReadOnlyError as error:
            raise DatabaseReadOnly(f"redis at {where} is a replica: set the address of its primary") from error
        except RedisError as error:
            # For a pipeline the message repeats the command, and so a record's text and vector.
            said = re.sub(r"(?s)^Command # .* of pipeline caused error: ", "", str(error))
            raise DatabaseError(f"redis refused: {said}") from error


def _encoded(record: Checked) -> bytes:
    held = [_held(name, token) for name, values in tokens(record.metadata).items() for token in values]
    return msgspec.json.encode({"t": held, "text": record.text, "metadata": record.metadata})


def _filter(wanted: Wanted) -> str:
    """All names must match, each with any of its tokens."""
    return " and ".join(
        "(" + " or ".join(f'"{_held(name, token)}" in .t' for token in values) + ")"
        for name, values in tokens(wanted).items()
    )


def _held(name: str, token: str) -> str:
    """A name and its token without quotes and backslashes; a digest in place of a long token."""
    safe = quote(token, safe=" ")
    return f"{name} {safe if len(safe) <= _LONG else f'#{sha256(token.encode()).hexdigest()}'}"
