"""Vectors in PostgreSQL, with the extension pgvector. The SQL is in queries/vectors/postgres/.

The tables are created when a collection is first opened, not by a migration: migrations must not need an extension,
both trees have the same migrations, and this database may not be the state store's.
"""

from __future__ import annotations

import re
from importlib import resources
from typing import TYPE_CHECKING, Any, cast

import msgspec

from diglot.errors import ConfigurationError, DatabaseError, DatabaseTimeout, DatabaseUnavailable, SchemaMismatch
from diglot.sql.loader import load_queries
from diglot.sql.together import call, together
from diglot.statestore.vectors.checks import Checked, in_batches
from diglot.statestore.vectors.matching import Wanted, json_path
from diglot.statestore.vectors.providers import PgvectorOptions
from diglot.statestore.vectors.records import Match
from diglot.statestore.vectors.settings import VectorSettings
from diglot.stores import open_store
from diglot.stores.settings import PostgresSettings
from diglot.stores.store import Store
from diglot.stores.url import parse_url

if TYPE_CHECKING:
    from diglot.statestore.vectors.checks import Vector

NEEDED = (0, 8)
"""The first version that keeps reading an index until there are enough rows."""
FEW = 1_000
"""With fewer records a search is exact."""
_BATCH = 500


def _text(value: Any) -> str:
    """As JSON, which is also the text form of a vector."""
    return msgspec.json.encode(value).decode()


class Collection(msgspec.Struct, frozen=True):
    dimension: int
    metric: str


def open_engine(settings: VectorSettings, database: PostgresSettings | None, *, few: int = FEW) -> PgvectorEngine:
    """``database`` is used if the settings have no address."""
    if settings.url is not None:
        database = cast(PostgresSettings, parse_url(settings.url))
    if database is None:
        raise ConfigurationError(
            "pgvector needs a PostgreSQL database: give it a url, or keep the state store on PostgreSQL too"
        )
    store = open_store(database)
    try:
        engine = PgvectorEngine(settings, store, few)
        engine.prepare()
    except BaseException:
        store.close()
        raise
    return engine


class PgvectorEngine:
    def __init__(self, settings: VectorSettings, store: Store, few: int) -> None:
        self._most_few = few
        self.store = store
        self.settings = settings
        self._options = cast(PgvectorOptions, settings.typed_options())
        self._indexed = self._options.index != "none"
        self._few = self._most_few
        tree = resources.files("diglot.statestore.sql") / "vectors" / "postgres"
        self.queries: Any = load_queries(tree, "postgres", {"Match": Match, "Collection": Collection}).vectors
        self._search = getattr(self.queries, f"search_{settings.metric}")

    def prepare(self) -> None:
        """Create what does not exist yet. Raises ConfigurationError if the settings do not match what exists."""
        try:
            found = self.queries.get_collection(self.store, collection=self.settings.id)
        except SchemaMismatch:
            self._create()
            found = None
        version = self.queries.extension_version(self.store) or "0"
        if tuple(map(int, re.findall(r"\d+", version)[:2])) < NEEDED:
            raise ConfigurationError(
                f"{self.store.location} has pgvector {version}, but 0.8 or newer is needed: install it, then run "
                "'alter extension vector update'"
            )
        if found is None:
            found = self._add()
        if (found.dimension, found.metric) != (self.settings.dimension, self.settings.metric):
            raise ConfigurationError(
                f"the collection {self.settings.id!r} in {self.store.location} has dimension {found.dimension} and "
                f"metric {found.metric!r}, not {self.settings.dimension} and {self.settings.metric!r}: set those, or "
                "choose another id"
            )
        if self._indexed and self._index_method() != self._options.index:
            self._create_index()

    def upsert(self, records: list[Checked]) -> None:
        records = sorted(records, key=lambda record: record.id)  # always in the same order: no deadlocks
        with self.store.transaction() as session:
            for batch in in_batches(records, _BATCH):
                self.queries.upsert_vectors(
                    session,
                    collection=self.settings.id,
                    ids=[record.id for record in batch],
                    embeddings=[_text(record.vector.tolist()) for record in batch],
                    texts=[record.text for record in batch],
                    metadata=[_text(record.metadata) for record in batch],
                )

    def search(self, vector: Vector, top_k: int, wanted: Wanted) -> list[Match]:
        found, exact = self._nearest(vector, top_k, wanted, indexed=self._indexed)
        if len(found) < top_k and not exact:
            # A search through the index sometimes ends early: only the table shows whether these are all.
            found, _ = self._nearest(vector, top_k, wanted, indexed=False)
        return found

    def delete_ids(self, ids: list[str]) -> int:
        self._few = self._most_few
        deleted: int = self.queries.delete_vectors(self.store, collection=self.settings.id, ids=ids)
        return deleted

    def delete_matching(self, wanted: Wanted) -> int:
        self._few = self._most_few
        deleted: int = self.queries.delete_matching(self.store, collection=self.settings.id, path=json_path(wanted))
        return deleted

    def count(self) -> int:
        found: int = self.queries.count_vectors(self.store, collection=self.settings.id)
        return found

    def close(self) -> None:
        self.store.close()

    def _nearest(self, vector: Vector, top_k: int, wanted: Wanted, *, indexed: bool) -> tuple[list[Match], bool]:
        """The matches, and whether they were found without the index."""
        tuned, found = together(
            self.store,
            call(
                self.queries.tune_search,
                collection=self.settings.id,
                few=self._few,
                ef_search=str(max(self._options.ef_search, top_k)),
                probes=str(self._options.probes),
                indexed=indexed,
            ),
            call(
                self._search,
                collection=self.settings.id,
                dimension=self.settings.dimension,
                embedding=vector.tolist(),
                path=json_path(wanted) if wanted else None,
                limit=top_k,
            ),
        )
        matches: list[Match] = found
        exact = tuned.endswith(" off")
        if not exact:
            self._few = 0  # there are many: no need to count again until some are deleted
        return matches, exact

    def _create(self) -> None:
        try:
            self.queries.create_vectors(self.store)
        except (DatabaseUnavailable, DatabaseTimeout):
            raise
        except DatabaseError as error:
            raise ConfigurationError(
                f"pgvector can't be set up in {self.store.location}: {error}. Install it on the server, and run "
                "'create extension vector' as a user who may; or use the provider qdrant, redis or filesystem"
            ) from error

    def _add(self) -> Collection:
        settings = self.settings
        with self.store.transaction() as session:
            self.queries.lock_collections(session)
            self.queries.add_collection(
                session, collection=settings.id, dimension=settings.dimension, metric=settings.metric
            )
            added: Collection = self.queries.get_collection(session, collection=settings.id)
        return added

    def _index_method(self) -> str | None:
        found: str | None = self.queries.index_method(self.store, collection=self.settings.id)
        return found

    def _create_index(self) -> None:
        settings, options = self.settings, self._options
        if options.index == "ivfflat" and not self.queries.has_as_many(
            self.store, collection=settings.id, few=self._most_few
        ):
            return  # its lists are built from the existing records
        with self.store.transaction() as session:
            self.queries.lock_collections(session)
            self.queries.create_index(
                session,
                collection=settings.id,
                dimension=settings.dimension,
                metric=settings.metric,
                method=options.index,
                m=options.m,
                ef_construction=options.ef_construction,
                lists=options.lists,
            )
