"""The section [knowledge]: what it may say, what is hidden, and the rules of the start."""

from __future__ import annotations

import subprocess
import sys

import pytest

from diglot.errors import ConfigurationError
from diglot.statestore.config import Config
from diglot.statestore.config.knowledge import check_knowledge
from tests.statestore.config.configuring import CANARY, PG, configure, refusal

FILE = """
[[knowledge.vector_dbs]]
id = "docs"
provider = "filesystem"
dimension = 3
"""


def broken_rule(config: Config) -> str:
    with pytest.raises(ConfigurationError) as refused:
        check_knowledge(config)
    return str(refused.value)


def test_all_of_it_is_read() -> None:
    config = configure(
        toml="""
        [knowledge]
        enabled = true

        [[knowledge.vector_dbs]]
        id = "docs"
        provider = "qdrant"
        url = "https://qdrant.example.org:6333"
        dimension = 768
        metric = "ip"
        options = { timeout = 2.5 }

        [[knowledge.vector_dbs]]
        id = "notes"
        provider = "filesystem"
        path = "./notes.vectors"
        dimension = 3
        """
    )
    docs, notes = config.knowledge.vector_dbs
    assert config.knowledge.enabled
    assert (docs.id, docs.provider, docs.dimension, docs.metric, docs.options) == (
        "docs",
        "qdrant",
        768,
        "ip",
        {"timeout": 2.5},
    )
    assert (notes.path, notes.metric, notes.url) == ("./notes.vectors", "cosine", None)
    check_knowledge(config)


def test_without_the_section_knowledge_is_off_and_not_shown() -> None:
    config = configure(toml="[database]\npath = 'x.db'")
    assert (config.knowledge.enabled, config.knowledge.vector_dbs) == (False, ())
    assert not [key for key, _, _ in config.explain() if "knowledge" in key]


@pytest.mark.parametrize(
    ("toml", "text"),
    [
        ("[knowledge]\nenable = true", "knowledge.enable (diglot.toml): unknown key: use enabled"),
        ("[knowledge]\nenabled = 'yes'", "knowledge.enabled (diglot.toml): use true or false"),
        ("[knowledge]\nvector_dbs = 3", "knowledge.vector_dbs (diglot.toml): write each as a section"),
        (FILE.replace("dimension", "dim"), "[0].dim (diglot.toml): unknown key: use id, provider, dimension, metric"),
        (FILE.replace("dimension = 3", ""), "knowledge.vector_dbs[0].dimension (diglot.toml): this key is missing"),
        (FILE.replace("3", "'3'"), "knowledge.vector_dbs[0].dimension (diglot.toml): use a whole number"),
        (FILE.replace("3", "0"), "knowledge.vector_dbs[0].dimension: use a whole number from 1 to 16000 (diglot.toml)"),
        (
            FILE.replace("filesystem", "weaviate"),
            ".provider (diglot.toml): use 'pgvector', 'qdrant', 'redis', 'filesys",
        ),
        (FILE.replace("filesystem", f"redis://:{CANARY}@h"), ".provider (diglot.toml): use 'pgvector'"),
        (FILE + "metric = 'dot'", "knowledge.vector_dbs[0].metric (diglot.toml): use 'cosine', 'l2', 'ip'"),
        (FILE.replace('"docs"', '"My Docs"'), "knowledge.vector_dbs[0].id: use at most 48 lower-case letters"),
        (FILE * 2, "knowledge.vector_dbs[1].id: 'docs' appears twice"),
        (FILE + f"url = 'http://:{CANARY}@h'", "knowledge.vector_dbs[0].url: the provider filesystem uses a file"),
        (FILE + "path = ''", "knowledge.vector_dbs[0].path: use the path of a file"),
        (FILE + f"path = 'http://:{CANARY}@h'", "knowledge.vector_dbs[0].path: use the path of a file"),
        (
            FILE + "options = { fsync = false }",
            "[0].options: object contains unknown field `fsync`: filesystem has the options lock",
        ),
        (
            FILE + "options = { lock_timeout = 0 }",
            "knowledge.vector_dbs[0].options: lock_timeout: expected `float` > 0",
        ),
        (FILE + "options = 3", "knowledge.vector_dbs[0].options (diglot.toml): use a table"),
        (FILE.replace("filesystem", "redis"), "knowledge.vector_dbs[0].url: redis needs an address: use redis://HOST"),
        (
            FILE.replace("filesystem", "redis") + f"url = 'http://:{CANARY}@h'",
            "knowledge.vector_dbs[0].url: this is not an address for redis: use redis://HOST:6379/0 or unix://",
        ),
        (
            FILE.replace("filesystem", "redis") + "url = 'redis://h'\nmetric = 'l2'",
            "knowledge.vector_dbs[0].metric: redis has no 'l2': use 'cosine', or another provider",
        ),
        (
            FILE.replace("filesystem", "redis") + "path = 'x'",
            "knowledge.vector_dbs[0].path: redis is a server: set know",
        ),
        (FILE.replace("filesystem", "qdrant"), "knowledge.vector_dbs[0]: qdrant needs either url = "),
        (FILE.replace("filesystem", "qdrant") + "url = 'http://h'\npath = 'x'", "qdrant needs either url = "),
        (
            FILE.replace("filesystem", "redis") + f"url = 'redis://:{CANARY}#@cache:6379'",
            "knowledge.vector_dbs[0].url: this address can't be read: use redis://HOST:6379/0 or unix://",
        ),
        (
            FILE.replace("filesystem", "redis") + f"url = 'redis://:{CANARY}@h?decode_responses=true'",
            "knowledge.vector_dbs[0].url: the address of redis can only have the parameters db, password, ssl_ca_certs",
        ),
        (
            FILE.replace("filesystem", "qdrant") + f"url = 'http://{CANARY}@h:port'",
            "knowledge.vector_dbs[0].url: this address can't be read: use http://HOST:6333",
        ),
        (
            FILE.replace("filesystem", "pgvector") + f"url = 'postgresql://ada:{CANARY}@h/app?sslmode=on'",
            "knowledge.vector_dbs[0].url: ",
        ),
        (
            FILE.replace("filesystem", "pgvector").replace("3", "2001"),
            "knowledge.vector_dbs[0].dimension: pgvector can index at most 2000: use fewer, or knowledge.vector_dbs",
        ),
    ],
)
def test_what_is_not_right_is_named_with_the_way_out(toml: str, text: str) -> None:
    assert text in refusal(toml=toml)


@pytest.mark.parametrize(
    ("provider", "url", "shown"),
    [
        ("redis", f"redis://:{CANARY}@cache:6379/0", "redis://***@cache:6379/0"),
        ("redis", f"redis://cache:6379/0?password={CANARY}", "redis://cache:6379/0?***"),
        ("redis", "unix:///run/redis.sock", "unix:///run/redis.sock"),
        ("redis", f"redis://{CANARY}#@cache:6379", "***"),
        ("redis", f"redis://ada:1/{CANARY}@cache:6379", "***"),
        ("redis", f"redis://{CANARY}?@cache:6379", "***"),
        ("pgvector", f"postgresql://ada:{CANARY}@db/app", "postgresql://***@db/app"),
        ("qdrant", f"https://q:{CANARY}@h:6333", "https://***@h:6333"),
    ],
)
def test_a_secret_is_never_shown(provider: str, url: str, shown: str) -> None:
    toml = f"[[knowledge.vector_dbs]]\nid = 'docs'\nprovider = '{provider}'\nurl = '{url}'\ndimension = 3\n"
    if provider == "qdrant":
        toml += f"options = {{ api_key = '{CANARY}' }}"
    config = configure(toml=toml)
    explained = {key: (value, source) for key, value, source in config.explain()}
    assert explained["knowledge.vector_dbs.docs.url"] == (shown, "diglot.toml")
    assert CANARY not in str(explained) + repr(config) + str(config.knowledge.vector_dbs[0])
    if provider == "qdrant":
        assert explained["knowledge.vector_dbs.docs.options.api_key"][0] == "***"


def test_sqlite_with_pgvector_is_refused() -> None:
    toml = FILE + FILE.replace("docs", "more").replace("filesystem", "pgvector")
    text = broken_rule(configure(toml=toml))
    assert text.startswith("knowledge.vector_dbs[1].provider: pgvector ('more') needs PostgreSQL")
    assert all(name in text for name in ("Qdrant", "Redis", "Filesystem"))
    check_knowledge(configure(toml=toml, env={"DATABASE_URL": PG}))


def test_sqlite_with_knowledge_and_no_vector_database_is_refused() -> None:
    text = broken_rule(configure(toml="[knowledge]\nenabled = true"))
    assert text.startswith("knowledge.enabled is true, but knowledge.vector_dbs is empty")
    assert all(name in text for name in ("Qdrant", "Redis", "Filesystem", "knowledge.enabled = false"))
    check_knowledge(configure(toml="[knowledge]\nenabled = false"))
    check_knowledge(configure(toml="[knowledge]\nenabled = true\n" + FILE))
    check_knowledge(configure(toml="[knowledge]\nenabled = true", env={"DATABASE_URL": PG}))
    check_knowledge(configure(toml=""))


def test_the_configuration_needs_no_vector_library() -> None:
    left_out = "{'numpy', 'redis', 'qdrant_client'}"
    code = f"import sys, diglot.statestore.config.knowledge; sys.exit(bool({left_out} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
