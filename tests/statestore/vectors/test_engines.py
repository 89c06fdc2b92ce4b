"""What only one engine can get wrong: its SQL, its address, its version, its folder."""

from __future__ import annotations

import gc
import os
import resource
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import redis

from diglot.check.headers import check_headers
from diglot.check.parity import check_parity
from diglot.check.plans import check_plans
from diglot.check.prepare import check_prepare
from diglot.errors import (
    ConfigurationError,
    DatabaseError,
    DatabaseFull,
    DatabaseReadOnly,
    DatabaseTimeout,
    DatabaseUnavailable,
    SchemaMismatch,
)
from diglot.project import Project
from diglot.sql.loader import load_text
from diglot.statestore.vectors import Match, Record, VectorSettings, open_vectors
from diglot.statestore.vectors import pgvector as pgvector_engine
from diglot.statestore.vectors import redis as redis_engine
from diglot.statestore.vectors.pgvector import Collection, PgvectorEngine
from diglot.statestore.vectors.store import VectorStore
from diglot.stores.settings import PostgresSettings
from diglot.stores.url import parse_url
from tests.statestore.config.configuring import CANARY

SQL = Path(str(resources.files("diglot.statestore.sql") / "vectors" / "postgres"))


def pgvector(url: str, **more: object) -> VectorStore:
    settings = {"id": "docs", "provider": "pgvector", "dimension": 3, "url": url} | more
    return open_vectors(VectorSettings(**settings))  # type: ignore[arg-type]


def engine(docs: VectorStore) -> PgvectorEngine:
    assert isinstance(docs._engine, PgvectorEngine)
    return docs._engine


# --- pgvector ----------------------------------------------------------------------------------------------


def test_the_sql_passes_the_checks_of_every_other_query(postgres_url: str, tmp_path: Path) -> None:
    (tmp_path / "postgres").symlink_to(SQL)
    (tmp_path / "sqlite").mkdir()
    project = Project(queries=tmp_path, models={"Match": Match, "Collection": Collection})
    assert [*check_headers(project), *check_parity(project)] == []
    with pgvector(postgres_url) as docs:
        store = engine(docs).store
        prepared = check_prepare(project, store, None)
        assert prepared.findings == []
        # The operators of pgvector are not known to the check, nor is what its functions return.
        names = {unknown.name for unknown in prepared.unknowns}
        assert names == {"vectors.create_index", "vectors.search_ip", "vectors.search_l2"}
        assert all(" unknown: " in unknown.message for unknown in prepared.unknowns)
        assert check_plans(project, store, None) == []


def test_it_is_set_up_once_however_many_come_at_once(postgres_url: str) -> None:
    def write(each: tuple[str, str]) -> None:
        with pgvector(postgres_url, id=each[0]) as docs:
            docs.upsert([Record(each[1], [1, 0, 0])])

    with ThreadPoolExecutor() as threads:
        list(threads.map(write, [("one", "a"), ("one", "b"), ("one", "c"), ("two", "d")]))
    with pgvector(postgres_url, id="one") as docs:
        assert docs.count() == 3


def test_without_an_address_it_is_the_database_of_the_state_store(postgres_url: str) -> None:
    settings = VectorSettings(id="docs", provider="pgvector", dimension=3)
    database = parse_url(postgres_url)
    assert isinstance(database, PostgresSettings)
    with open_vectors(settings, database) as docs:
        docs.upsert([Record("a", [1, 0, 0])])
    with pgvector(postgres_url) as docs:
        assert docs.count() == 1
    with pytest.raises(ConfigurationError, match="pgvector needs a PostgreSQL database: give it a url"):
        open_vectors(settings)


def test_a_collection_without_an_index_is_searched_exactly_and_gets_one_later(postgres_url: str) -> None:
    with pgvector(postgres_url, options={"index": "none"}) as docs:
        docs.upsert([Record("a", [1, 0, 0]), Record("b", [0, 1, 0])])
        assert [match.id for match in docs.search([0, 1, 0.1], top_k=1)] == ["b"]
        assert engine(docs)._index_method() is None
    with pgvector(postgres_url) as docs:
        assert engine(docs)._index_method() == "hnsw"
        assert [match.id for match in docs.search([0, 1, 0.1], top_k=1)] == ["b"]


def test_a_batch_is_all_or_nothing_on_pgvector(postgres_url: str) -> None:
    with pgvector(postgres_url) as docs:
        store = engine(docs).store
        adding = load_text(
            "-- name: forbid()!\n-- Refuse one id.\nalter table vectors add check (id <> 'p590');", "postgres"
        )
        adding.forbid(store)  # type: ignore[operator]
        with pytest.raises(DatabaseError):
            docs.upsert([Record(f"p{i:03}", [1, i, 0]) for i in range(600)])
        assert docs.count() == 0


def test_an_older_pgvector_is_refused(postgres_url: str) -> None:
    with pgvector(postgres_url) as docs:
        queries = engine(docs).queries
        found = engine(docs)
        found.queries = _Older(queries)
        with pytest.raises(ConfigurationError, match=r"has pgvector 0\.7\.4, but 0\.8 or newer is needed"):
            found.prepare()
        found.queries = queries


def test_a_walk_through_the_index_that_ends_early_is_made_good(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        # The index is taken, though the table is small, and a search by it gives up at once.
        for setting in ("hnsw.max_scan_tuples = 1", "enable_sort = off"):
            connection.execute(f"alter database {connection.info.dbname} set {setting}")
    settings = VectorSettings(id="docs", provider="pgvector", dimension=3, url=postgres_url, options={"ef_search": 1})
    with VectorStore(settings, pgvector_engine.open_engine(settings, None, few=0)) as docs:
        docs.upsert([Record(f"p{i}", [1, i, 0], metadata={"rare": i > 297}) for i in range(300)])
        assert {match.id for match in docs.search([1, 0, 0], top_k=3, filters={"rare": True})} == {"p298", "p299"}


def test_a_server_that_goes_away_while_it_is_set_up_is_unavailable(postgres_url: str) -> None:
    with pgvector(postgres_url) as docs:
        found = engine(docs)
        queries = found.queries
        found.queries = _Gone()
        with pytest.raises(DatabaseUnavailable):
            found.prepare()
        found.queries = queries


class _Gone:
    def get_collection(self, *_: object, **__: object) -> None:
        raise SchemaMismatch

    def create_vectors(self, _: object) -> None:
        raise DatabaseUnavailable


class _Older:
    def __init__(self, queries: object) -> None:
        self._queries = queries

    def extension_version(self, _: object) -> str:
        return "0.7.4"

    def __getattr__(self, name: str) -> object:
        return getattr(self._queries, name)


def test_who_may_not_install_the_extension_is_told_what_to_do(postgres_url: str) -> None:
    name = f"without_rights_{uuid4().hex}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"create role {name} login")
        try:
            url = postgres_url.replace("postgresql://postgres@", f"postgresql://{name}@")
            with pytest.raises(ConfigurationError, match=r"pgvector can't be set up in .* 'create extension vector'"):
                pgvector(url)
        finally:
            connection.execute(f"drop role {name}")


def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable) as refused:
        pgvector(f"postgresql://ada:{CANARY}@/app?host={tmp_path}&sslmode=disable")
    assert CANARY not in str(refused.value)


def test_a_collection_of_any_name_has_its_index(postgres_url: str) -> None:
    for name in ("metadata", "collection", "a-b", "a_b", "x" * 48):
        with pgvector(postgres_url, id=name) as docs:
            assert engine(docs)._index_method() == "hnsw"
            docs.upsert([Record(name, [1, 0, 0])])
    with pgvector(postgres_url, id="a-b") as docs:
        assert [match.id for match in docs.search([1, 0, 0])] == ["a-b"]


def test_rows_that_were_written_over_do_not_hide_the_nearest(postgres_url: str) -> None:
    """Until they are vacuumed, they are in the index, and a search of it may end among them."""
    with pgvector(postgres_url, options={"ef_search": 1, "m": 2, "ef_construction": 4}) as docs:
        for turn in range(20):  # with so much text that the planner takes the index, if it may
            docs.upsert([Record(f"p{i}", [1, 0, turn % 2], text=f"{turn}" + "x" * 1_900) for i in range(20)])
        docs.upsert([Record("p7", [0, 0, 1])])
        assert [match.id for match in docs.search([0, 0, 1], top_k=1)] == ["p7"]


def test_writing_the_same_again_leaves_no_dead_rows(postgres_url: str) -> None:
    records = [Record(f"p{i}", [1, i, 0], text="text", metadata={"n": i}) for i in range(5)]
    with pgvector(postgres_url) as docs, psycopg.connect(postgres_url, autocommit=True) as connection:
        docs.upsert(records)
        before = connection.execute("select array_agg(ctid order by id) from vectors").fetchone()
        assert docs.upsert(records) == 5
        assert connection.execute("select array_agg(ctid order by id) from vectors").fetchone() == before
        docs.upsert([Record("p0", [1, 0, 0], text="text", metadata={"n": 0.5})])
        assert docs.search([1, 0, 0], top_k=1)[0].metadata == {"n": 0.5}


# --- Redis -------------------------------------------------------------------------------------------------


def vector_set(url: str, **options: object) -> VectorStore:
    return open_vectors(VectorSettings(id="docs", provider="redis", dimension=3, url=url, options=options))


def test_redis_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match=r"redis at unix:///.* can't be reached"):
        vector_set(f"unix://{tmp_path}/none")


def test_redis_that_does_not_answer_is_a_timeout(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.listen()
        with pytest.raises(DatabaseTimeout, match=r"did not answer within 0\.05 s"):
            vector_set(f"unix://{tmp_path}/s", timeout=0.05)


def test_a_redis_user_without_the_right_is_told_so_without_the_password(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.acl_setuser("nobody", enabled=True, passwords=[f"+{CANARY}"], commands=["-@all"], keys=["*"])
    with pytest.raises(DatabaseError, match=r"redis refused: .*no permissions") as refused:
        vector_set(redis_url.replace("unix://", f"unix://nobody:{CANARY}@"))
    assert CANARY not in str(refused.value)


def test_a_key_of_another_kind_is_refused(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.set("diglot-other", "text")
    with pytest.raises(DatabaseError, match="redis refused: WRONGTYPE"):
        vector_set(redis_url, key="diglot-other")


def test_a_walk_through_the_graph_that_ends_early_is_made_good(redis_url: str) -> None:
    options = {"key": "diglot-early", "ef_search": 1}
    settings = VectorSettings(id="docs", provider="redis", dimension=3, url=redis_url, options=options)
    with VectorStore(settings, redis_engine.open_engine(settings, effort=1)) as docs:
        docs.upsert([Record(f"p{i}", [1, i, 0], metadata={"rare": i > 297}) for i in range(300)])
        assert {match.id for match in docs.search([1, 0, 0], top_k=3, filters={"rare": True})} == {"p298", "p299"}


@pytest.mark.parametrize("quantization", ["int8", "binary"])
def test_a_smaller_form_keeps_its_kind(redis_url: str, quantization: str) -> None:
    key = f"diglot-{quantization}"
    with vector_set(redis_url, key=key, quantization=quantization) as docs:
        docs.upsert([Record("a", [1, -1, 1]), Record("b", [-1, 1, 1])])
        assert docs.search([1, -1, 1], top_k=1)[0].id == "a"
    with pytest.raises(ConfigurationError, match=f"holds {quantization[:3]}.*, not 3 and f32: set those"):
        vector_set(redis_url, key=key)


def test_redis_that_is_full_or_a_replica_says_so(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client, vector_set(redis_url, key="diglot-full") as docs:
        docs.upsert([Record("a", [1, 0, 0])])
        client.config_set("maxmemory", 1)
        try:
            with pytest.raises(DatabaseFull, match=r"redis at unix:///.* is full: raise its maxmemory") as refused:
                docs.upsert([Record("b", [0, 1, 0], text=CANARY)])
        finally:
            client.config_set("maxmemory", 0)
        assert CANARY not in str(refused.value)
        client.replicaof("127.0.0.1", 9)
        try:
            with pytest.raises(DatabaseReadOnly, match="is a replica: set the address of its primary"):
                docs.upsert([Record("b", [0, 1, 0])])
        finally:
            client.replicaof("no", "one")
        assert docs.count() == 1


def test_an_error_of_redis_never_repeats_a_record(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client, vector_set(redis_url, key="diglot-echo") as docs:
        client.set("diglot-echo", "text")
        with pytest.raises(DatabaseError, match=r"^redis refused: .{1,100}$") as refused:
            docs.upsert([Record(CANARY, [1, 0, 0], text=CANARY)])
    assert CANARY not in str(refused.value)


def test_a_vector_set_keeps_the_m_that_it_was_made_with(redis_url: str) -> None:
    with vector_set(redis_url, key="diglot-m", m=8) as docs:
        docs.upsert([Record("a", [1, 0, 0])])
    with vector_set(redis_url, key="diglot-m") as docs:
        docs.upsert([Record("b", [0, 1, 0])])
        assert docs.count() == 2


def test_a_wrong_password_of_redis_is_no_missing_server(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.acl_setuser("somebody", enabled=True, passwords=["+right"], categories=["+@all"], keys=["*"])
    with pytest.raises(DatabaseUnavailable, match="refuses the user or the password of the url") as refused:
        vector_set(redis_url.replace("unix://", f"unix://somebody:{CANARY}@"))
    assert CANARY not in str(refused.value)


# --- Qdrant ------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_folder_in_use_is_unavailable(tmp_path: Path) -> None:
    settings = VectorSettings(id="docs", provider="qdrant", dimension=3, path=str(tmp_path / "q"))
    with open_vectors(settings), pytest.raises(DatabaseUnavailable, match="is already in use: only a Qdrant server"):
        open_vectors(settings)
    gc.collect()  # the client that was refused has left its storage open, of which Python 3.13 warns: here, not later


def test_a_qdrant_server_that_is_not_there_is_unavailable() -> None:
    settings = VectorSettings(id="docs", provider="qdrant", dimension=3, url="http://127.0.0.1:9")
    with pytest.raises(DatabaseUnavailable, match=r"qdrant at http://127\.0\.0\.1:9 can't be reached"):
        open_vectors(settings)


@pytest.mark.parametrize(
    ("status", "body", "error", "text"),
    [
        (200, "<html>", DatabaseError, r"does not answer as Qdrant does: is it another service\?"),
        (200, "{}", DatabaseError, r"does not answer as Qdrant does: is it another service\?"),
        (200, '{"result": 3}', DatabaseError, r"does not answer as Qdrant does: is it another service\?"),
        (401, "{}", DatabaseUnavailable, "refuses the key: set options.api_key"),
        (429, "{}", DatabaseUnavailable, "is too busy"),
        (500, "{}", DatabaseError, r"refused \(HTTP status 500\)"),
        (None, "", DatabaseTimeout, r"did not answer in time: raise options.timeout"),
    ],
)
@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
def test_a_qdrant_server_that_answers_anything_is_one_line(
    status: int | None, body: str, error: type[Exception], text: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(1) as thread:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        settings = VectorSettings(
            id="docs", provider="qdrant", dimension=3, url=url, options={"api_key": CANARY, "timeout": 1}
        )
        answering = thread.submit(answer, listening, status, body) if status else None
        with pytest.raises(error, match=f"^qdrant at {url} {text}$") as refused:
            open_vectors(settings)
        if answering:
            answering.result(5)
    assert CANARY not in str(refused.value)


def answer(listening: socket.socket, status: int, body: str) -> None:
    """One request, with this."""
    connection, _ = listening.accept()
    with connection:
        connection.recv(65_536)
        lines = [f"HTTP/1.1 {status} Any", "Retry-After: 1", f"Content-Length: {len(body)}", "Connection: close"]
        connection.sendall("\r\n".join([*lines, "", body]).encode())


def test_a_folder_of_qdrant_that_can_not_be_written_is_an_error_of_the_database(tmp_path: Path) -> None:
    settings = VectorSettings(id="docs", provider="qdrant", dimension=3, path=str(tmp_path / "q"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with open_vectors(settings) as docs:
        docs.upsert([Record("a", [1, 0, 0])])
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, limits[1]))
        try:
            with pytest.raises(DatabaseFull, match="can't be written or read"):
                docs.upsert([Record("b", [1, 0, 0], text="x" * 100_000)])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)


# --- the extra ---------------------------------------------------------------------------------------------


def test_a_missing_extra_is_named() -> None:
    program = """
import sys
sys.modules["numpy"] = None
from diglot.statestore.vectors import VectorSettings, open_vectors
open_vectors(VectorSettings(id="docs", provider="filesystem", dimension=3))
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, env=os.environ)
    assert "vectors need the package numpy: pip install 'diglot[vectors]'" in done.stderr.splitlines()[-1]
