"""A `~` in the path of a SQLite database: the home folder, or an error, never a folder called `~`."""

from __future__ import annotations

from pathlib import Path

import pytest

from diglot.errors import ConfigurationError
from diglot.statestore.vectors.settings import VectorSettings
from diglot.stores.settings import SQLiteSettings
from diglot.stores.sqlite.path import expanded
from diglot.stores.sqlite.store import open_sqlite
from diglot.stores.url import parse_url
from tests.statestore.config.configuring import configure, refusal, sqlite

pytestmark = pytest.mark.sqlite


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


def test_the_file_is_made_in_the_home_folder(home: Path, tmp_path: Path) -> None:
    with open_sqlite(SQLiteSettings(path="~/data/app.db")) as store:
        assert store.location == str(home / "data" / "app.db")
    assert [each.name for each in tmp_path.iterdir()] == ["home"]


@pytest.mark.parametrize("url", ["~/app.db", "sqlite:///~/app.db", "file:~/app.db", "sqlite:///%7E/app.db"])
def test_every_form_of_address_is_expanded(url: str, home: Path) -> None:
    assert parse_url(url) == SQLiteSettings(path=str(home / "app.db"))


def test_every_setting_is_expanded_and_shown_so(home: Path) -> None:
    config = configure(env={"DB_PATH": "~/app.db"})
    assert sqlite(config).path == str(home / "app.db")
    assert ("database.path", str(home / "app.db"), "DB_PATH (environment)") in config.explain()
    assert VectorSettings(id="x", provider="filesystem", dimension=2, path="~/x").path == str(home / "x")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("~nobody-of-this-name/app.db", "there is no home folder of '~nobody-of-this-name'"),
        ("~", "a folder"),
        ("~/data/~/app.db", "not at its start"),
        ("data/~/app.db", "not at its start"),
        ("./~/app.db", "not at its start"),
        ("/~/app.db", "not at its start"),
        ("/~root/app.db", "not at its start"),
    ],
)
def test_a_tilde_that_no_shell_would_leave_is_refused(path: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=said):
        open_sqlite(SQLiteSettings(path=path))
    assert [each.name for each in tmp_path.iterdir()] == ["home"]


@pytest.mark.parametrize("home", ["", "relative"])
def test_a_home_that_is_no_absolute_path_is_refused(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", home)
    with pytest.raises(ConfigurationError, match="HOME is not an absolute path"):
        expanded("~/app.db")


@pytest.mark.parametrize("path", ["./~ada.db", "data/~app.db", "app~.db", "app.db~", "/srv/a~b/~c/app.db"])
def test_a_name_with_a_tilde_is_only_a_name(path: str) -> None:
    assert SQLiteSettings(path=path).path == path


def test_the_error_names_the_setting() -> None:
    said = "DB_PATH (environment): the path of the SQLite database has a '~' that can't be expanded"
    assert refusal(env={"DB_PATH": "~nobody-of-this-name/app.db"}).startswith(said)
    assert refusal(env={"DATABASE_URL": "sqlite:///"}).startswith("DATABASE_URL (environment): the SQLite address")
