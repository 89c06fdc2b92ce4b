"""``diglot query``: what is shown is what stands in the files."""

from __future__ import annotations

from pathlib import Path

import pytest

from diglot.sql.session import DIALECTS
from diglot.statestore.database import packaged_queries
from tests.cli.running import diglot, terminal


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_list_has_every_query_of_both_dialects_once() -> None:
    names = [query["name"] for query in diglot("query", "list", "--format", "json").json["queries"]]
    assert len(names) == len(set(names))
    assert set(names) == {query.source.full_name for dialect in DIALECTS for query in packaged_queries(dialect)}


def test_list_says_what_a_query_takes_and_gives() -> None:
    queries = {query["name"]: query for query in diglot("query", "list", "--format", "json").json["queries"]}
    assert queries["tasks.get_task"] == {
        "name": "tasks.get_task",
        "suffix": "^",
        "kind": "one row or none",
        "parameters": [{"name": "task_exec_id", "type": "text"}, {"name": "workflow_exec_id", "type": "text?"}],
        "returns": "TaskState",
        "doc": "One task state by its id.",
    }
    lines = diglot("query", "list").out.splitlines()
    assert lines[0].split() == ["NAME", "KIND", "RETURNS", "DOC", "PARAMETERS"]
    line = next(line for line in lines if line.startswith("tasks.get_task "))
    assert line.endswith("task_exec_id text, workflow_exec_id text?")


def test_no_database_is_touched() -> None:
    assert diglot("query", "list").code == 0
    assert diglot("query", "show", "users.get_user").code == 0
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("name", ["tasks.get_task", "get_task"])
def test_show_prints_both_dialects_as_they_stand_in_the_files_with_their_places(name: str) -> None:
    shown = diglot("query", "show", name)
    data = diglot("query", "show", name, "--format", "json").json
    assert shown.out.startswith("tasks.get_task  one row or none\n")
    for dialect in DIALECTS:
        file, _, line = data["places"][dialect].rpartition(":")
        text = "\n".join(Path(file).read_text("utf-8").splitlines()[int(line) - 1 :])
        sql = data["sql"][dialect]
        assert Path(file).parent.name == dialect
        assert text.startswith(sql)
        assert sql.startswith("-- name: get_task^\n")
        assert sql.endswith(";")
        assert sql.count("-- name:") == 1
        assert f"\n{dialect}  {file}:{line}\n{sql}\n" in shown.out


def test_show_ends_before_comments_that_belong_to_the_next_query() -> None:
    for query in packaged_queries("sqlite"):
        data = diglot("query", "show", query.source.full_name, "--format", "json").json
        for sql in data["sql"].values():
            assert sql.endswith(";"), query.source.full_name


def test_a_query_that_does_not_exist_is_refused_with_the_nearest() -> None:
    assert diglot("query", "show", "tasks.gt_task") == (
        1,
        "",
        "diglot: no query 'tasks.gt_task': did you mean 'tasks.get_task'?\n",
    )
    assert diglot("query", "show", "x").err == "diglot: no query 'x': 'diglot query list' shows all\n"


def test_a_name_that_two_files_have_is_refused_with_both(monkeypatch: pytest.MonkeyPatch) -> None:
    from diglot.cli import query
    from diglot.cli.app import App

    real = query._queries(App())
    monkeypatch.setattr(query, "_queries", lambda _: {**real, "more.get_task": real["tasks.get_task"]})
    assert diglot("query", "show", "get_task").err == (
        "diglot: several queries are called 'get_task': tasks.get_task, more.get_task\n"
    )


def test_show_fits_a_narrow_terminal() -> None:
    code, shown = terminal("query", "show", "tasks.get_task", columns=60, env={"NO_COLOR": "1"})
    assert code == 0
    assert "".join(shown.split()).count("fromtask_states") == 2
