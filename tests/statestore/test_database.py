"""The front door: open() finds the database, brings it up to date or says what is missing, and closes behind itself."""

import subprocess
import sys

import pytest

from diglot import statestore
from diglot.errors import ConfigurationError, DatabaseUnavailable, NotMigrated, StoreClosed
from diglot.statestore.models import WorkflowState


def test_open_migrates_what_is_pending(database_url):
    with statestore.open(database_url) as db:
        assert db.migrate() == []
        assert db.workflows.upsert(WorkflowState("w1", "flow", "RUNNING")).version == 1
        assert db.health().ok


def test_open_says_what_is_missing_when_it_may_not_migrate(database_url):
    with pytest.raises(NotMigrated, match=r"lacks the migration 20250603124835_create_workflow_states and \d+ more"):
        statestore.open(database_url, auto_migrate=False)


def test_open_does_not_look_when_told_not_to(database_url):
    with statestore.open(database_url, migrate=False) as db:
        assert len(db.migrate()) == 7
        assert db.users.list().items == []


def test_a_database_that_was_closed_says_so(db):
    db.close()
    db.close()
    with pytest.raises(StoreClosed):
        db.users.list()


def test_open_without_anything_is_the_configuration_s_database(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with statestore.open() as db:
        db.users.create("a@b.c")
    assert (tmp_path / "data" / "app.db").exists()
    (tmp_path / "my.toml").write_text('[database]\npath = "other.db"\n')
    with statestore.open(config_file=tmp_path / "my.toml") as db:
        assert db.users.list().items == []
    with statestore.open(path="data/app.db") as db:
        assert [user.email for user in db.users.list().items] == ["a@b.c"]


def test_open_refuses_what_it_does_not_know(tmp_path):
    with pytest.raises(ConfigurationError, match="mysql"):
        statestore.open("mysql://localhost/x")
    with pytest.raises(ConfigurationError, match="pth"):
        statestore.open(pth=str(tmp_path / "x.db"))
    with pytest.raises(DatabaseUnavailable):
        statestore.open("postgresql://127.0.0.1:1/x", connect_timeout=1)


def test_a_repr_shows_the_place_and_no_password(tmp_path):
    with statestore.open(str(tmp_path / "app.db")) as db:
        assert repr(db) == f"<Database {tmp_path / 'app.db'}>"


def test_importing_brings_in_neither_driver_nor_command_line():
    heavy = ["psycopg", "pydantic", "rich", "click", "yoyo", "sqlite_utils", "sqlglot", "aiosql", "pysqlite3"]
    code = f"import sys, diglot; print([name for name in {heavy!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "[]"
