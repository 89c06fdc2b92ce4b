"""``diglot catalogue``: the page is written whole or not at all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from diglot.project import Project
from diglot.statestore.database import packaged_queries
from tests.catalogue.test_page import Page
from tests.cli.running import diglot


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def of_shop(shop: Project, server_url: str) -> list[str]:
    return ["--queries", str(shop.queries), "--migrations", str(shop.migrations), "--postgres-url", server_url]


def test_it_writes_the_page_of_anybodys_trees_the_same_each_time(shop: Project, server_url: str) -> None:
    done = diglot("catalogue", "out.html", *of_shop(shop, server_url))
    assert (done.code, done.err) == (0, "")
    assert re.fullmatch(r"out\.html: 8 queries, 3 tables, \d+ KiB\n", done.out)
    first = Path("out.html").read_bytes()
    again = diglot("catalogue", "out.html", *of_shop(shop, server_url), "--format", "json")
    assert again.json == {"file": "out.html", "queries": 8, "tables": 3}
    assert Path("out.html").read_bytes() == first
    assert [path.name for path in Path().iterdir()] == ["out.html"], "nothing else is left"
    assert shop.queries is not None
    for trace in (str(shop.queries.parent), "diglot_check_", "/tmp", server_url):
        assert trace not in first.decode(), "the page tells nothing of the machine that it was made on"


def test_it_shows_all_of_diglots_own_queries_and_tables(server_url: str) -> None:
    done = diglot("catalogue", "own.html", "--postgres-url", server_url)
    assert (done.code, done.err) == (0, "")
    page = Page(Path("own.html").read_text("utf-8"))
    ids = set(page.ids())
    assert {query.source.full_name for query in packaged_queries("postgres")} <= ids
    assert {"table-task_states", "table-workflow_states", "table-users", "table-api_keys"} <= ids
    assert {link.removeprefix("#") for link in page.links()} <= ids
    assert Path("own.html").stat().st_size < 1_000_000


def test_the_trees_may_be_named_in_the_configuration_file(shop: Project, server_url: str) -> None:
    Path("diglot.toml").write_text(f'[check]\nqueries = "{shop.queries}"\nmigrations = "{shop.migrations}"\n')
    done = diglot("catalogue", "out.html", "--postgres-url", server_url)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("out.html: 8 queries, 3 tables")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere/out.html"], "can't write nowhere/out.html: there is no folder nowhere; create it first"),
        (["."], "File '.' is a directory"),
        (["out.html", "--queries", "."], "there is no folder postgres"),
        (["out.html", "--migrations", "."], "this needs queries: name their folder with --queries"),
        (["out.html", "--queries", "no", "--migrations", "no"], "Directory 'no' does not exist"),
        (["out.html", "--postgres-url", "sqlite:///a.db"], "is not the address of a PostgreSQL database"),
        (["out.html", "--allow", "no.toml"], "no.toml"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(arguments: list[str], message: str) -> None:
    done = diglot("catalogue", *arguments)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert done.err.count("\n") == 1
    assert not Path("out.html").exists()


def test_a_page_that_is_there_stays_when_the_new_one_cannot_be_made(
    shop: Project, server_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("out.html").write_text("the old one")

    def full(path: Path, target: Path) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "replace", full)
    done = diglot("catalogue", "out.html", *of_shop(shop, server_url))
    assert done.code == 1
    assert "no space left on device" in done.err
    assert [(path.name, path.read_text()) for path in Path().iterdir()] == [("out.html", "the old one")]
