"""What is printed: one JSON document for scripts, a readable table for people, wherever it goes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from diglot import statestore
from diglot.cli.output import Output, cell
from diglot.statestore.models import Page, User, WorkflowState
from tests.cli.running import diglot, process, terminal

NOON = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """What was written to standard output since it was last asked."""
    return lambda: capsys.readouterr().out


def test_json_has_the_names_of_the_models_and_times_of_one_width(printed: Callable[[], str]) -> None:
    early = datetime(5, 1, 1, tzinfo=UTC)
    east = datetime(2026, 1, 31, 13, 0, 0, 123, tzinfo=timezone(timedelta(hours=1)))
    Output("json").json(Page([User("u", "ü@x", "admin", early, east)], None))
    text = printed()
    assert json.loads(text) == {
        "items": [
            {
                "id": "u",
                "email": "ü@x",
                "role": "admin",
                "created_at": "0005-01-01T00:00:00.000000Z",
                "updated_at": "2026-01-31T12:00:00.000123Z",
            }
        ],
        "next": None,
    }
    assert "ü" in text


def test_json_leaves_out_what_is_not_known_yet(printed: Callable[[], str]) -> None:
    Output("json").json(WorkflowState("e", "w", "PENDING", input={"n": None}))
    data = json.loads(printed())
    assert "version" not in data
    assert data["input"] == {"n": None}
    assert data["output"] is None


def test_json_refuses_what_has_no_form_in_it() -> None:
    with pytest.raises(TypeError):
        Output("json").json({"x": 1j})


def test_json_is_ascii_where_the_output_is_not_unicode() -> None:
    done = process("config", "show", "--format", "json", "--db-path", "ü.db", env={"PYTHONIOENCODING": "ascii"})
    assert done.out.isascii()
    assert {"key": "database.path", "value": "ü.db", "source": "--db-path"} in done.json["settings"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "yes"),
        (False, "no"),
        (NOON, "2026-01-31 12:00:00 UTC"),
        (0.25, "0.25"),
        (30.0, "30"),
        (["a", 1], "a, 1"),
        ({"k": "ü"}, '{"k": "ü"}'),
        ("[red]x[/] :smile:", "[red]x[/] :smile:"),
        ("a\x1b[31m\nb", "a\\x1b[31m\\nb"),
    ],
)
def test_a_cell_is_one_line_of_text(value: object, text: str) -> None:
    assert cell(value) == text


def test_in_a_pipe_columns_are_aligned_and_never_cut(printed: Callable[[], str]) -> None:
    Output("table").table(["NAME", "N"], [["日本", 1], ["x" * 300, 22], ["", None]], None)
    lines = printed().splitlines()
    assert lines[0] == "NAME" + " " * 298 + "N"
    assert lines[1] == "日本" + " " * 298 + "1"
    assert lines[2] == "x" * 300 + "  22"
    assert lines[3] == ""


def test_an_empty_table_prints_nothing(printed: Callable[[], str]) -> None:
    Output("table").table(["NAME"], [], None)
    assert printed() == ""


def test_a_line_is_for_people_its_data_for_scripts(printed: Callable[[], str]) -> None:
    Output("table").line("done\x07", {"done": 1})
    Output("json").line("done", {"done": 1})
    assert printed() == 'done\\x07\n{\n  "done": 1\n}\n'


# --- in a terminal -----------------------------------------------------------------------------------------

COLOUR = re.compile(r"\x1b\[(?:[0-9]+;)*[39][0-9](?:;[0-9]+)*m")
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def test_a_terminal_shows_a_table() -> None:
    code, shown = terminal("config", "show", columns=100)
    assert code == 0
    assert "\x1b[1mKEY" in shown
    assert "│" not in shown
    lines = [line.rstrip() for line in ESCAPE.sub("", shown).splitlines()]
    assert lines[0].split() == ["KEY", "VALUE", "SOURCE"]
    assert set(lines[1]) == {"─"}
    assert ["database.path", "./data/app.db", "default"] in [line.split() for line in lines]


def test_a_narrow_terminal_shows_a_block_a_row_and_cuts_nothing() -> None:
    path = "folder/" + "x" * 50 + ".db"
    code, shown = terminal("config", "show", "--db-path", path, columns=50)
    assert code == 0
    assert f"KEY     database.path\nVALUE   {path}\nSOURCE  --db-path\n" in shown


def test_one_long_id_folds_and_leaves_the_table_a_table(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/app.db"
    with statestore.open(url) as db:
        for id in ("w" * 255, "short"):
            db.workflows.upsert(WorkflowState(id, "flow", "RUNNING"))
    _, shown = terminal("workflow", "list", "--database-url", url, columns=130)
    lines = [line.split() for line in ESCAPE.sub("", shown).splitlines()]
    assert max(map(len, ESCAPE.sub("", shown).splitlines())) <= 130
    assert ["short", "flow", "RUNNING"] in [line[:3] for line in lines]
    assert sum(word.count("w") for line in lines for word in line if set(word) == {"w"}) == 255


def test_long_values_fold_in_several_columns_and_the_others_stay_on_one_line(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/app.db"
    usual = statestore.new_id()
    with statestore.open(url) as db:
        for id, workflow_id in (("w" * 255, "flow"), (usual, "v" * 120), ("日本" * 100, "v")):
            db.workflows.upsert(WorkflowState(id, workflow_id, "RUNNING"))
    _, shown = terminal("workflow", "list", "--database-url", url, columns=120)
    text = ESCAPE.sub("", shown)
    lines = [line.split() for line in text.splitlines()]
    assert usual in [line[0] for line in lines]
    assert (text.count("w"), text.count("v"), text.count("日")) == (256, 121, 100)
    assert text.count(" UTC") == 2 * 3
    assert "STATUS    CREATED" in text


def test_a_table_that_just_fits_is_not_cut(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/app.db"
    with statestore.open(url) as db:
        user = db.users.create("ada@example.org")
    whole = cell(user.created_at)
    needed = sum(map(len, (user.id, user.email, "ROLE", whole))) + 3 * 3
    for columns in range(needed - 2, needed + 2):
        _, shown = terminal("user", "list", "--database-url", url, columns=columns)
        lines = [line.rstrip() for line in ESCAPE.sub("", shown).splitlines()]
        assert lines[-1].endswith(whole) or f"CREATED  {whole}" in lines
        assert (lines[0].split() == ["ID", "EMAIL", "ROLE", "CREATED"]) == (columns >= needed)


def test_long_columns_are_folded_not_cut_in_a_terminal() -> None:
    _, wide = terminal("query", "list", columns=140)
    words = ESCAPE.sub("", wide).split()
    for query in diglot("query", "list", "--format", "json").json["queries"]:
        assert query["name"] in words
    assert max(map(len, ESCAPE.sub("", wide).splitlines())) <= 140


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colour_is_respected(env: dict[str, str]) -> None:
    _, shown = terminal("query", "show", "tasks.get_task", env=env)
    assert not COLOUR.search(shown)
    assert "select" in shown


def test_sql_is_coloured_in_a_terminal_and_plain_in_a_pipe() -> None:
    _, shown = terminal("query", "show", "tasks.get_task")
    assert COLOUR.search(shown)
    assert "\x1b" not in process("query", "show", "tasks.get_task").out
