"""The groups and the order of a replay: the rule for groups on shapes of real traces, the order on random graphs."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diglot.statestore.repositories.validation import check_id
from diglot.statestore.trace.plan import Plan, plan
from diglot.statestore.trace.program import program_name
from diglot.statestore.trace.wfformat import parse_trace
from tests.statestore.trace.traces import Graph, document, executed, specified, text, trace


def _plan(tasks: list[tuple[str, str, str | None]]) -> Plan:
    """Of tasks without parents: (id, name, program)."""
    value = document({id: [] for id, _, _ in tasks})
    for (_, name, program), said, ran in zip(tasks, specified(value), executed(value), strict=True):
        said["name"] = name
        ran["command"] = {"program": program}
    return plan(parse_trace(text(value), "x"))


def _groups(tasks: list[tuple[str, str, str | None]]) -> dict[str, int]:
    return {group.task_id: len(group.members) for group in _plan(tasks).groups}


GROUPS: dict[str, tuple[list[tuple[str, str, str | None]], dict[str, int]]] = {
    "Pegasus: a number of the instance in name and id": (
        [(f"mProject_ID000{n}", f"mProject_ID000{n}", "mProject") for n in range(3)]
        + [("mAdd_ID0007", "mAdd_ID0007", "mAdd")],
        {"mProject": 3, "mAdd": 1},
    ),
    "Nextflow: the name is the kind": (
        [(f"RNASEQ.STAR_{n}", "RNASEQ.STAR", f"STAR --in {n}") for n in range(3)]
        + [("RNASEQ.QC_4", "RNASEQ.QC", "qc")],
        {"RNASEQ.STAR": 3, "RNASEQ.QC": 1},
    ),
    "one program in several kinds: the names stay": (
        [("a1", "SORT", "samtools sort"), ("a2", "SORT", "samtools sort"), ("b", "STATS", "samtools stats")],
        {"SORT": 2, "STATS": 1},
    ),
    "a plain number where name and id are the same": (
        [("blast.1", "blast.1", None), ("blast.2", "blast.2", None), ("cat-1", "cat-1", None)],
        {"blast": 2, "cat": 1},
    ),
    "a plain number in a name that is not the id belongs to the name": (
        [("a1", "phase_1", "x"), ("a2", "phase_1", "x"), ("a3", "phase_2", "x"), ("a4", "phase_2", "x")],
        {"phase_1": 2, "phase_2": 2},
    ),
    "names that carry a sample: the program decides": (
        [(f"map_sample{n}x_ID{n}", f"map_sample{n}x_ID{n}", "map") for n in range(4)]
        + [(f"fast2bfq_sample{n}x_ID9{n}", f"fast2bfq_sample{n}x_ID9{n}", "/bin/fast2bfq") for n in range(4)],
        {"map": 4, "fast2bfq": 4},
    ),
    "no program known: the names stay": ([("a", "a", None), ("b", "b", None)], {"a (group)": 1, "b (group)": 1}),
    "as many programs as names: the names stay": (
        [("one", "align", "bwa"), ("two", "sort", "samtools")],
        {"align": 1, "sort": 1},
    ),
    "a kind that is the id of a task is told apart": (
        [("report", "report", "x"), ("report (group)", "other", "x"), ("c", "other", "y")],
        {"report (group 2)": 1, "other": 2},
    ),
    "nothing but a number is a name too": ([("_ID7", "_ID7", None), ("k", "_ID7", None)], {"_ID7 (group)": 2}),
}


@pytest.mark.parametrize(("tasks", "groups"), GROUPS.values(), ids=GROUPS)
def test_tasks_of_one_kind_are_a_group(tasks: list[tuple[str, str, str | None]], groups: dict[str, int]) -> None:
    assert _groups(tasks) == groups


@pytest.mark.parametrize("name", ["x" * 255, "\N{GRINNING FACE}" * 220, "é" * 255], ids=["ASCII", "emoji", "accents"])
def test_group_names_of_the_greatest_length_stay_ids(name: str) -> None:
    (group,) = _plan([(name, name, None)]).groups
    assert check_id(group.task_id, "task_id") == group.task_id
    assert re.fullmatch(rf"{name[0]}{{200,}} \(group\)", group.task_id)


PROGRAMS: dict[str, tuple[str | None, str | None]] = {
    "a name": ("mProject", "mProject"),
    "a path": ("/opt/montage/bin/mProject", "mProject"),
    "nothing": (None, None),
    "white space": ("  \n", None),
    "a mark": ("-", None),
    "a script with continued lines": (
        "samtools \\\n   stats \\\n   --threads 1\n\n  cat <<-END > v\n  END",
        "samtools",
    ),
    "preparations first": (
        "unset DISPLAY\n  mkdir tmp\n  export JAVA_OPTIONS=-Dtmp=./tmp\n  FILES='a b'\n  qualimap \\\n bamqc",
        "qualimap",
    ),
    "a test and a loop": ("[ -f a ] || ln -s b a\n  while read x; do\n done\n  /usr/bin/fastqc --quiet a", "fastqc"),
    "comments and here-documents": ("# bwa mem\ncat <<EOF > r.txt\nstar --run\nEOF\nhisat2 -x y", "hisat2"),
    "only preparations": ("cat a b > c\nls -l", "cat"),
    "only what has no name": ("$TOOL run", None),
    "too long": ("x" * 300, "x" * 255),
    "too many bytes": ("x" + "\N{GRINNING FACE}" * 254, "x" + "\N{GRINNING FACE}" * 219),
    "not printable": ("\u2028", None),
}


@pytest.mark.parametrize(("program", "name"), PROGRAMS.values(), ids=PROGRAMS)
def test_the_program_of_a_command_is_found(program: str | None, name: str | None) -> None:
    assert program_name(program) == name


def test_the_tool_is_the_program_or_else_the_kind() -> None:
    assert _plan([("a_ID1", "a_ID1", "/bin/run x"), ("a_ID2", "a_ID2", None)]).tools == ("run", "a")


# --- the order ---------------------------------------------------------------------------------------------------


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Graph, dict[str, float]]:
    """Any directed graph without cycles of up to 25 tasks, in any order, with many equal runtimes."""
    size = draw(st.integers(1, 25))
    names = [f"kind{draw(st.integers(0, 3))}_ID{number}" for number in range(size)]
    graph = {
        name: draw(st.lists(st.sampled_from(names[:number]), unique=True, max_size=4)) if number else []
        for number, name in enumerate(names)
    }
    order = draw(st.permutations(names))
    runtimes = {name: draw(st.sampled_from([0.0, 0.0, 0.25, 1.0, 3.5])) for name in names}
    return {name: graph[name] for name in order}, runtimes


@given(graphs())
@settings(max_examples=40, deadline=None)
def test_every_task_starts_after_its_parents_and_finishes_once(drawn: tuple[Graph, dict[str, float]]) -> None:
    graph, runtimes = drawn
    found = plan(trace(graph, runtimes=runtimes))
    finished: dict[str, float] = {}
    started: dict[str, float] = {}
    for step in found.steps:
        task = found.trace.tasks[step.task]
        if step.starts:
            assert task.id not in started
            assert set(task.parents) <= set(finished)
            assert step.at == max((finished[parent] for parent in task.parents), default=0.0)
            started[task.id] = step.at
        else:
            assert task.id not in finished
            assert step.at == started[task.id] + runtimes[task.id]
            finished[task.id] = step.at
    assert set(finished) == set(graph)
    assert [step.at for step in found.steps] == sorted(step.at for step in found.steps)


@given(graphs())
@settings(max_examples=25, deadline=None)
def test_every_task_is_in_one_group_whose_name_is_its_own(drawn: tuple[Graph, dict[str, float]]) -> None:
    found = plan(trace(drawn[0]))
    members = [number for group in found.groups for number in group.members]
    assert sorted(members) == list(range(len(drawn[0])))
    for number, group in enumerate(found.group_of):
        assert number in found.groups[group].members
    names = [group.task_id for group in found.groups] + list(drawn[0])
    assert len(set(names)) == len(names)


def test_a_chain_of_many_tasks_is_planned() -> None:
    chain: Graph = {f"t_ID{n}": [f"t_ID{n - 1}"] if n else [] for n in range(1000)}
    assert plan(trace(chain)).steps[-1].at == 500.0


def _with_times(times: list[Any]) -> list[tuple[float, str, bool]]:
    value = document({"a": [], "b": [], "c": ["a"]})
    for ran, at in zip(executed(value), times, strict=True):
        ran["executedAt"] = at
    found = plan(parse_trace(text(value), "x"))
    return [(step.at, found.trace.tasks[step.task].id, step.starts) for step in found.steps]


AT_ONCE = [
    (0.0, "a", True),
    (0.0, "b", True),
    (0.5, "a", False),
    (0.5, "b", False),
    (0.5, "c", True),
    (1.0, "c", False),
]


def test_recorded_starts_are_kept_where_every_task_has_one() -> None:
    assert _with_times(["2026-01-31T10:00:00Z", "2026-01-31T11:00:02+01:00", "2026-01-31T10:00:00.750"]) == [
        (0.0, "a", True),
        (0.5, "a", False),
        (0.75, "c", True),
        (1.25, "c", False),
        (2.0, "b", True),
        (2.5, "b", False),
    ]


@pytest.mark.parametrize("times", [["2026-01-31T10:00:00Z", None, None], ["03-23-21T05:57:15Z", "", "x"]])
def test_starts_that_are_missing_or_unreadable_are_left_out_for_all(times: list[Any]) -> None:
    assert _with_times(times) == AT_ONCE


def test_a_recorded_start_before_the_parents_end_is_put_off() -> None:
    same = "2026-01-31T10:00:00Z"
    assert _with_times([same, same, same]) == AT_ONCE
