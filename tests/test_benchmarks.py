"""The benchmark can't rot: every contender still gives the same answers, and what it counts and reports is true."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from benchmarks import data, growth, harness, memory, report, statements, transfers
from benchmarks.__main__ import agree, main
from benchmarks.answers import DifferentAnswers, compare
from benchmarks.contenders import KINDS, Contender, Kind, open_contender
from benchmarks.data import Data
from benchmarks.databases import Place, PostgresServer, SQLiteFolder, copies, fill
from benchmarks.harness import Ratio, Result, measure
from benchmarks.operations import OPERATIONS
from click.testing import CliRunner
from rich.console import Console

from tests.databases import POSTGRES_PARAMS, SQLITE_PARAMS, Databases

pytestmark = pytest.mark.once
BY_NAME = {operation.name: operation for operation in OPERATIONS}


@pytest.fixture(autouse=True)
def warm_up_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "WARM_UP_SECONDS", 0.001)


@pytest.fixture(params=[SQLITE_PARAMS[0], POSTGRES_PARAMS[-1]])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A folder, or a server."""
    if request.param == "sqlite-file":
        yield SQLiteFolder(tmp_path)
        return
    made = PostgresServer(request.getfixturevalue("databases").postgres(request.param).url("postgres"))
    try:
        yield made
    finally:
        made.drop_all()


def test_all_contenders_give_the_same_answers_and_diglot_sends_one_statement(place: Place) -> None:
    url, of = fill(place, data.SMALL)
    urls = copies(place, url, KINDS)
    with ExitStack() as stack:
        contenders = {kind: stack.enter_context(closing(open_contender(kind, urls[kind]))) for kind in KINDS}
        agree(OPERATIONS, contenders, of, questions=4)

        read = [BY_NAME[name] for name in ("tree", "progress", "page-of-tasks", "workflow-with-tasks")]
        answers = [getattr(contenders["hand"], o.method)(*o.arguments(contenders["hand"], of)[0]) for o in read]
        assert len(answers[0].nodes) == of.tree, "the whole tree"
        assert max(node.depth for node in answers[0].nodes) == 2
        assert answers[1].total == of.children, "every child is the newest state of its task"
        assert (len(answers[2].items), answers[2].next is None) == (50, False), "a full page and one more behind it"
        assert len(answers[3].tasks) == data.TASKS_EACH

        with pytest.raises(DifferentAnswers, match="question 0: Diglot answers"):
            compare(BY_NAME["point-read"], {**contenders, "diglot": _Liar(contenders["diglot"])}, of, 1)

    for name in ("point-read", "tree"):
        traffic = statements.count(BY_NAME[name], urls, of)
        assert traffic["diglot"].statements == 1
        assert traffic["diglot"].round_trips in (1, None)
    several = statements.count(BY_NAME["lock-and-save"], urls, of)
    assert {kind: found.statements for kind, found in several.items()} == dict.fromkeys(KINDS, 4)


class _Liar:
    """A contender that reads another task than the one it was asked for."""

    def __init__(self, contender: Contender) -> None:
        self._contender = contender

    def prepare(self, state: Any) -> Any:
        return state

    def get_task(self, workflow_exec_id: str, task_exec_id: str) -> Any:
        return self._contender.get_task(workflow_exec_id, task_exec_id[:-1] + "1")


def test_contenders_take_turns_and_a_ratio_is_made_within_a_round() -> None:
    asked: list[Kind] = []

    class Recorder:
        def __init__(self, kind: Kind) -> None:
            self._kind = kind

        def get_task(self, *_: str) -> None:
            asked.append(self._kind)

    contenders: Any = {kind: Recorder(kind) for kind in KINDS}
    result = measure(BY_NAME["point-read"], contenders, data.SMALL, rounds=4, batch_seconds=1e-9)
    assert result.calls_a_round == 1
    assert asked[-16:] == [*KINDS, *KINDS[1:], KINDS[0], *KINDS[2:], *KINDS[:2], KINDS[3], *KINDS[:3]]

    drifting = Result("point-read", 1, {"hand": [1.0, 10.0, 2.0], "diglot": [1.5, 15.0, 2.0]})
    assert drifting.ratio("diglot", "hand") == Ratio(median=1.5, least=1.0, most=1.5)


def test_memory_of_listing_is_measured_in_a_process_of_its_own(tmp_path: Path) -> None:
    peak = memory.listing(SQLiteFolder(tmp_path), 2_000)
    assert peak.rows == 2_000
    assert 1_000_000 < peak.python < peak.process
    assert memory.does_not_grow(peak, peak._replace(rows=20_000))
    assert not memory.does_not_grow(peak, peak._replace(python=peak.python * 2))


def test_the_command_writes_a_table_and_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "FULL", data.SMALL)
    target = tmp_path / "result.json"
    only = [f"--only={name}" for name in ("authenticate", "point-read", "import")]
    arguments = ["--quick", "--rounds", "2", "--database", "sqlite", *only]
    done = CliRunner().invoke(main, [*arguments, "--folder", str(tmp_path), "--json", str(target)])
    assert done.exit_code == 0, done.output
    assert "read a task by its two keys, Diglot ÷ by hand" in done.output
    written = json.loads(target.read_text())
    operations = written["databases"]["sqlite"]["operations"]
    assert list(operations) == ["point-read", "authenticate"]
    assert {kind: len(rounds) for kind, rounds in operations["point-read"]["microseconds"].items()} == dict.fromkeys(
        KINDS, 2
    )
    assert list(operations["authenticate"]["medians"]) == ["hand", "diglot"]
    targets = {target["what"]: target for target in written["targets"]}
    assert targets["SQLite: read a task by its two keys, statements (and round trips)"]["reached"] is True
    assert list(tmp_path.iterdir()) == [target], "the databases are gone"


@pytest.mark.parametrize("name", [POSTGRES_PARAMS[-1]])
def test_every_transfer_is_measured_beside_its_plain_tool(tmp_path: Path, databases: Databases, name: str) -> None:
    server = PostgresServer(databases.postgres(name).url("postgres"))
    try:
        found = list(transfers.measured(SQLiteFolder(tmp_path), server, 3, Console(quiet=True)))
        kept = [transfers.kept_beside_a_backup(each, 3, 0.1) for each in (SQLiteFolder(tmp_path), server)]
    finally:
        server.drop_all()
    assert [one.name for one in found if one.plain is not None] == [
        "copy SQLite to PostgreSQL",
        "copy PostgreSQL to SQLite",
        "backup of SQLite",
        "backup of PostgreSQL",
    ]
    assert len(found) == 8
    assert min(kept) > 0


def test_growth_has_each_call_at_each_size(place: Place) -> None:
    found = growth.measure(place, (12, 30))
    calls = [(each.call, each.with_statistics) for each in found]
    assert len(set(calls)) == len(calls) == 2 * 11
    assert all(list(each.milliseconds) == [12, 30] and min(each.milliseconds.values()) > 0 for each in found)


def test_a_missed_target_is_called_missed() -> None:
    slow = Result("point-read", 1, {"hand": [1.0], "diglot": [1.7], "core": [3.5], "orm": [8.4]})
    one = report.Measured("sqlite", "SQLite", [slow], {}, None, [])
    found = [(verdict.target, verdict.reached) for verdict in report.verdicts([one], import_seconds=0.151)]
    assert found == [("≤ 1.6", False), ("≥ 2", True), ("≥ 5", False), ("< 150 ms", False)]


def test_data_has_the_size_it_says() -> None:
    of = Data(executions=5, tree=1000, children=100, batch=10)
    tasks = list(of.tasks())
    assert len({task.task_exec_id for task in tasks}) == len(tasks) == 1000 + 101 + 10 + 2 * data.TASKS_EACH
    known: set[tuple[str, str | None]] = set()
    for task in tasks:
        assert task.parent_state_id is None or (task.workflow_exec_id, task.parent_state_id) in known
        known.add((task.workflow_exec_id, task.task_exec_id))
