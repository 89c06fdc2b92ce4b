"""A copy has all rows of the source, or none: between any two databases, whatever the values."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from diglot.errors import ConstraintViolation, CopyRefused, DatabaseError, RowRefused
from diglot.ops.copy import copy, try_copy
from diglot.project import Project
from diglot.schema.model import Schema
from diglot.schema.read import read_schema
from diglot.stores import open_store
from diglot.stores.url import parse_url
from tests.cli.running import diglot
from tests.ops.awkward import JSON_NULL, VALUES, fill, rows_of

Urls = tuple[str, str]


def copied(project: Project, urls: Urls, **options: Any) -> dict[str, tuple[int, str]]:
    result = copy(project, parse_url(urls[0]), parse_url(urls[1]), **options)
    return {table.name: (table.rows, table.hash) for table in result.tables}


@pytest.mark.parametrize("large", [1, 10_000], ids=["indexes-last", "indexes-kept"])
def test_copies_every_value_and_gives_the_same_content_on_the_way_back(
    project: Project, urls: Urls, large: int
) -> None:
    fill(urls[0], project)
    before = schema_of(urls[0])
    there = copied(project, urls, large=large)
    assert there["values_of_all_types"][0] == len(VALUES) + 1
    assert there["players"][0] == 30
    back = copied(project, (urls[1], urls[0]), replace=True, large=large)
    assert back == there
    again = copied(project, urls, replace=True, large=large)
    assert again == there, "the rows of the source are as they were before they went there and back"
    assert schema_of(urls[0]) == before, "indexes, triggers and foreign keys are as they were"


def schema_of(url: str) -> Schema:
    with open_store(parse_url(url)) as store:
        return read_schema(store)


def test_null_and_the_null_of_json_stay_apart(project: Project, urls: Urls) -> None:
    fill(urls[0], project)
    copied(project, urls)
    found = rows_of(
        urls[1],
        f"select document is null from values_of_all_types where words = '{JSON_NULL}' "
        "union all select document is null from values_of_all_types where words = 'two' "
        "union all select document is null from values_of_all_types where words = ''",
    )
    assert [bool(row[0]) for row in found] == [False, False, False]
    assert rows_of(urls[1], "select count(*) from values_of_all_types where document is null") == [(1,)]


def test_values_are_stored_as_the_engine_s_own(project: Project, urls: Urls) -> None:
    fill(urls[0], project)
    copied(project, urls)
    text = (
        "select cast(whole as text), cast(price as text), cast(raw as text) is not null, doubled, cast(day as text) "
        "from values_of_all_types where small = -32768"
    )
    ((whole, price, raw, doubled, day),) = rows_of(urls[1], text)
    assert (whole, price, bool(raw), doubled, day) == (
        str(2**63 - 1 - 2**62),
        "12345678901234567890.0123456789",
        True,
        2 * (2**63 - 1 - 2**62),
        "2026-01-31",
    )


def test_no_trigger_fires_and_every_trigger_is_there_afterwards(project: Project, urls: Urls) -> None:
    fill(urls[0], project)
    copied(project, urls)
    assert rows_of(urls[1], "select sum(changes) from players")[0][0] == sum(range(30))
    with project.open(urls[1]) as db, db.transaction() as tx:
        from tests.ops.awkward import _insert

        _insert(tx, "players", {"id": "new", "team_id": "t1", "changes": 5})
    assert rows_of(urls[1], "select changes from players where id = 'new'") == [(6,)]


def test_numbers_go_on_after_the_last_that_was_given(project: Project, urls: Urls) -> None:
    fill(urls[0], project)
    copied(project, urls)
    with project.open(urls[1]) as db, db.transaction() as tx:
        from tests.ops.awkward import _insert

        _insert(tx, "values_of_all_types", {"words": "next"})
    assert rows_of(urls[1], "select id from values_of_all_types where words = 'next'") == [(1001,)]


# --- what is refused ---------------------------------------------------------------------------------------


def test_refuses_a_target_with_rows_and_replaces_them_when_asked(project: Project, urls: Urls) -> None:
    for url in urls:
        fill(url, project)
    with project.open(urls[1]) as db:
        db.rows(_statement("delete from values_of_all_types where words = 'two'"))
    with pytest.raises(CopyRefused, match=r"has rows in .*players.*: copy into an empty database, .*--replace"):
        copied(project, urls)
    assert rows_of(urls[1], "select count(*) from values_of_all_types") == [(len(VALUES),)]
    copied(project, urls, replace=True)
    assert rows_of(urls[1], "select count(*) from values_of_all_types") == [(len(VALUES) + 1,)]


def _statement(text: str) -> Any:
    from diglot.sql.session import Statement

    return Statement("test", text, writes=True)


def test_refuses_a_table_that_the_target_lacks_unless_it_is_left_out(project: Project, urls: Urls) -> None:
    fill(urls[0], project)
    with project.open(urls[0]) as db:
        db.rows(_statement("create table more (id integer primary key)"))
    with pytest.raises(CopyRefused, match="has no table more"):
        copied(project, urls)
    result = copy(project, parse_url(urls[0]), parse_url(urls[1]), leave_out=["more"])
    assert result.left_out == ["more"]
    with pytest.raises(CopyRefused, match="there is no table mor in"):
        copied(project, urls, leave_out=["mor"], replace=True)


def test_refuses_a_column_that_one_side_lacks(project: Project, urls: Urls) -> None:
    fill(urls[0], project)
    with project.open(urls[1]) as db:
        db.rows(_statement("alter table teams add column motto text"))
    with pytest.raises(CopyRefused, match=r"teams\.motto is not in .*drifted"):
        copied(project, urls)


def test_refuses_another_version_of_the_schema(project: Project, urls: Urls) -> None:
    fill(urls[0], project)
    assert project.migrations is not None
    with project.open(urls[1]):
        pass
    for dialect in ("postgres", "sqlite"):
        tree = project.migrations / dialect
        (tree / "20260102000000_more.sql").write_text("create table more (id integer primary key);\n")
        (tree / "20260102000000_more.rollback.sql").write_text("drop table more;\n")
    with project.open(urls[1]):
        pass
    with pytest.raises(CopyRefused, match=r"has the migration 20260102000000_more, which .* lacks"):
        copied(project, urls)
    with project.open(urls[0]):
        pass
    assert copied(project, urls)["more"] == (0, "0" * 32)


def test_refuses_a_database_of_another_project(project: Project, urls: Urls) -> None:
    with open_store(parse_url(urls[0])) as store:
        store.script(_statement("create table something (id integer primary key)"))
    with pytest.raises(CopyRefused, match="has no migrations of this project"):
        copied(project, urls)


def test_refuses_to_copy_a_database_into_itself(project: Project, urls: Urls) -> None:
    fill(urls[0], project)
    with pytest.raises(CopyRefused, match="source and target are the same database"):
        copied(project, (urls[0], urls[0]), replace=True)


# --- values that do not fit --------------------------------------------------------------------------------

TO_POSTGRES = {
    "nul": ("update values_of_all_types set words = 'a' || char(0) || 'b' where words = 'two'", "words"),
    "small": ("update values_of_all_types set small = 40000 where words = 'two'", "small"),
    "invalid day": ("update values_of_all_types set day = '2026-02-30' where words = 'two'", "day"),
    "no time": ("update values_of_all_types set moment = 'soon' where words = 'two'", "moment"),
    "text for a number": ("update values_of_all_types set whole = '12x' where words = 'two'", "whole"),
    "nul in json": ("update values_of_all_types set document = '\"\\u0000\"' where words = 'two'", "document"),
    "no uuid": ("update values_of_all_types set code = 'x' where words = 'two'", "code"),
}
TO_SQLITE = {
    "infinity": ("update values_of_all_types set moment = 'infinity' where words = 'two'", "moment"),
    "year 10000": ("update values_of_all_types set moment = '10000-01-01 00:00+00' where words = 'two'", "moment"),
    "before christ": ("update values_of_all_types set moment = '0044-03-15 00:00+00 BC' where words = 'two'", "moment"),
    "not a number": ("update values_of_all_types set ratio = 'nan' where words = 'two'", "ratio"),
}


@pytest.mark.parametrize("case", [*TO_POSTGRES, *TO_SQLITE])
def test_a_value_that_does_not_fit_is_named_and_nothing_is_copied(project: Project, urls: Urls, case: str) -> None:
    kinds = (urls[0].partition(":")[0], urls[1].partition(":")[0])
    cases = {("sqlite", "postgresql"): TO_POSTGRES, ("postgresql", "sqlite"): TO_SQLITE}.get(kinds, {})
    if case not in cases:
        pytest.skip("the engines take the same values here")
    fill(urls[0], project)
    text, column = cases[case]
    with project.open(urls[0]) as db:
        db.rows(_statement(text))
        db.rows(_statement(text.replace("'two'", f"'{JSON_NULL}'").replace("'x'", "'y'")))
        changed = f"select id from values_of_all_types where words in ('two', '{JSON_NULL}') or words like 'a%'"
        ids = [row[0] for row in db.rows(_statement(changed))]
    with project.open(urls[1]):
        pass
    with pytest.raises((RowRefused, ConstraintViolation, DatabaseError)):
        copied(project, urls)
    assert rows_of(urls[1], "select count(*) from values_of_all_types") == [(0,)]
    found = list(try_copy(project, parse_url(urls[0]), parse_url(urls[1])))
    assert sorted(each.row for each in found) == sorted(f"id={id}" for id in ids)
    assert all(column in each.reason for each in found), found


def test_a_check_of_the_other_side_is_a_reason(project: Project, urls: Urls) -> None:
    fill(urls[0], project)
    with project.open(urls[1]):
        pass
    drop = (
        "alter table players drop constraint ck_players_changes"
        if urls[0].startswith("postgres")
        else "pragma ignore_check_constraints = 1"
    )
    with open_store(parse_url(urls[0])) as store, store.transaction() as tx:
        tx.rows(_statement(drop))
        tx.rows(_statement("update players set changes = 1000 where id in ('p3', 'p4')"))
    with pytest.raises(ConstraintViolation):
        copied(project, urls)
    found = [(each.table, each.row) for each in try_copy(project, parse_url(urls[0]), parse_url(urls[1]))]
    assert sorted(found) == [("players", "id='p3'"), ("players", "id='p4'")]


# --- others, meanwhile -------------------------------------------------------------------------------------


def test_a_source_that_changes_is_copied_as_it_was_at_one_moment(project: Project, urls: Urls) -> None:
    fill(urls[0], project)
    stop = threading.Event()
    with project.open(urls[0]) as db:

        def move() -> None:
            for change in cycle((1, 1, 1, -1, -1, -1)):
                if stop.is_set():
                    return
                with db.transaction() as tx:
                    tx.count(_statement(f"update players set changes = changes - {change} where id = 'p20'"))
                    tx.count(_statement(f"update players set changes = changes + {change} where id = 'p9'"))

        writer = threading.Thread(target=move)
        writer.start()
        try:
            for _ in range(3):
                copied(project, urls, replace=True)
                assert rows_of(urls[1], "select sum(changes) from players")[0][0] == sum(range(30))
        finally:
            stop.set()
            writer.join()


def test_of_two_at_once_one_copies_and_the_other_is_refused(project: Project, urls: Urls) -> None:
    fill(urls[0], project)
    with project.open(urls[1]):
        pass
    outcomes: list[object] = []

    def run() -> None:
        try:
            outcomes.append(copied(project, urls))
        except CopyRefused as error:
            outcomes.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["CopyRefused", "dict"]
    assert rows_of(urls[1], "select count(*) from players") == [(30,)]


@pytest.mark.parametrize("attempt", range(2))
def test_a_killed_copy_leaves_all_or_nothing_and_the_next_one_works(project: Project, urls: Urls, attempt: int) -> None:
    fill(urls[0], project)
    with project.open(urls[1]):
        pass
    program = (
        "import sys\nfrom diglot.ops.copy import copy\nfrom diglot.project import Project\n"
        "from diglot.stores.url import parse_url\nproject = Project.find(sys.argv[1])\nprint('ready', flush=True)\n"
        "while True:\n    copy(project, parse_url(sys.argv[2]), parse_url(sys.argv[3]), replace=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(project.file), *urls], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(random.uniform(0.05, 0.5))
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert rows_of(urls[1], "select count(*) from players")[0][0] in (0, 30)
    assert copied(project, urls, replace=True) == copied(project, (urls[1], urls[0]), replace=True)


# --- the command -------------------------------------------------------------------------------------------


@pytest.fixture
def in_project(project: Project, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.chdir(project.folder)
    return diglot


def test_the_command_copies_and_says_what(project: Project, urls: Urls, in_project: Callable[..., Any]) -> None:
    fill(urls[0], project)
    done = in_project("copy", *urls)
    assert done.code == 0, done.err
    assert "copied 38 rows; every table is the same in" in done.err
    again = in_project("copy", *urls)
    assert again.code == 1
    assert again.err.count("\n") == 1
    refused = in_project("copy", *urls, "--replace")
    assert refused.code == 1
    assert "confirm with --yes" in refused.err
    assert in_project("copy", *urls, "--replace", "--yes", "--format", "json").json["tables"][0]["rows"] >= 0
    tried = in_project("copy", *urls, "--dry-run")
    assert (tried.code, "every row fits" in tried.err) == (0, True)


def test_the_command_refuses_a_source_that_is_not_there(in_project: Callable[..., Any], tmp_path: Path) -> None:
    done = in_project("copy", str(tmp_path / "none.db"), str(tmp_path / "target.db"))
    assert done.code == 3
    assert "there is no SQLite database at" in done.err
    assert not (tmp_path / "none.db").exists()
    assert not (tmp_path / "target.db").exists()
