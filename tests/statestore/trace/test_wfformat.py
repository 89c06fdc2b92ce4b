"""Reading traces: what a sound one becomes, and a table of broken ones with the reason that each is refused for."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diglot.statestore.errors import TraceError
from diglot.statestore.trace.wfformat import Trace, bundled_trace, parse_trace, read_trace
from tests.statestore.trace.traces import DIAMOND, document, executed, specified, text, trace

Change = Callable[[dict[str, Any]], Any]


def test_a_sound_trace_keeps_what_was_recorded() -> None:
    found = trace()
    assert (found.name, found.makespan, found.machines) == ("diamond", 1.5, ("worker-1",))
    assert found.runtime_system == "pytest 9"
    assert [task.id for task in found.tasks] == list(DIAMOND)
    merge = found.tasks[-1]
    assert merge.parents == ("work_ID02", "work_ID03", "work_ID04")
    assert merge.output_files == ("merge_ID05.out",)
    assert found.sizes["merge_ID05.out"] == 100
    assert (merge.program, merge.arguments) == ("/opt/bin/merge", ("-o", "merge_ID05.out"))
    assert merge.runtime == 0.5
    assert merge.measured == {
        "avgCPU": 87.5,
        "memoryInBytes": 14692000,
        "readBytes": 1024,
        "writtenBytes": 2048,
    }
    assert isinstance(merge.measured["memoryInBytes"], int), "whole numbers stay whole"


def test_optional_parts_may_be_missing() -> None:
    value = document()
    for key in ("description", "createdAt", "runtimeSystem"):
        del value[key]
    del value["workflow"]["specification"]["files"]
    del value["workflow"]["execution"]["machines"]
    for task in specified(value):
        del task["inputFiles"], task["outputFiles"]
    for task in executed(value):
        for key in set(task) - {"id", "runtimeInSeconds"}:
            del task[key]
    found = parse_trace(text(value), "x")
    assert found.tasks[0].program is None
    assert (found.tasks[0].machines, found.tasks[0].measured, found.runtime_system) == ((), {}, None)


def test_the_machine_of_older_files_is_read_too() -> None:
    value = document()
    del executed(value)[0]["machines"]
    executed(value)[0]["machine"] = "node-7"
    assert parse_trace(text(value), "x").tasks[0].machines == ("node-7",)


def test_keys_that_the_format_does_not_name_are_let_through() -> None:
    value = document()
    value["extra"] = {"anything": [1, None]}
    executed(value)[0]["launchDir"] = "/somewhere"
    assert len(parse_trace(text(value), "x").tasks) == len(DIAMOND)


def test_a_byte_order_mark_is_no_harm() -> None:
    assert parse_trace(b"\xef\xbb\xbf" + text(document()), "x").name == "diamond"


def test_a_parent_that_is_named_twice_counts_once() -> None:
    value = document()
    specified(value)[1]["parents"] *= 2
    assert parse_trace(text(value), "x").tasks[1].parents == ("split_ID01",)


# --- broken traces: the whole reason, as people see it -----------------------------------------------------------

BROKEN_TEXTS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "it is empty"),
    "only white space": (b" \n\t ", "it is empty"),
    "not JSON": (b'{"name": }', "not JSON: Expecting value: line 1 column 10 (char 9)"),
    "cut off": (text(document())[:-5], "not JSON: Expecting"),
    "not UTF-8": (b'{"name": "\xff"}', "not JSON: it is not UTF-8 (at line 1, column 11)"),
    "a list": (b"[]", "not WfFormat: an object with 'name', 'schemaVersion' and 'workflow' is expected"),
    "another object": (b'{"jobs": []}', "not WfFormat: an object with"),
    "the same key twice": (b'{"name": 1, "name": 2}', "$: the key 'name' appears twice in one object"),
    "endless nesting": (b"[" * 100_000, "not JSON: "),
    "deep nesting": (b"[" * 70 + b"]" * 70, "more than 64 levels of objects and arrays"),
}

BROKEN: dict[str, tuple[Change, str]] = {
    "older format": (
        lambda d: d.update(schemaVersion="1.4"),
        "schemaVersion '1.4' is not supported: use WfFormat 1.5",
    ),
    "version is a number": (
        lambda d: d.update(schemaVersion=1.5),
        "schemaVersion 1.5 is not supported: use WfFormat 1.5",
    ),
    "no version": (lambda d: d.pop("schemaVersion"), "not WfFormat: "),
    "no workflow": (lambda d: d.pop("workflow"), "not WfFormat: "),
    "no name": (lambda d: d.pop("name"), "not WfFormat 1.5: Object missing required field `name`"),
    "empty name": (lambda d: d.update(name=""), "$.name: an id has 1 to 255 characters, not 0"),
    "long name": (lambda d: d.update(name="n" * 256), "$.name: an id has 1 to 255 characters, not 256"),
    "no execution": (
        lambda d: d["workflow"].pop("execution"),
        "it has no $.workflow.execution: a replay needs to know how each task ran",
    ),
    "no tasks": (
        lambda d: specified(d).clear(),
        "$.workflow.specification.tasks is empty: there is nothing to replay",
    ),
    "a task without id": (
        lambda d: specified(d)[1].pop("id"),
        "not WfFormat 1.5: Object missing required field `id` - at `$.workflow.specification.tasks[1]`",
    ),
    "an id that is a number": (
        lambda d: specified(d)[2].update(id=7),
        "not WfFormat 1.5: Expected `str`, got `int` - at `$.workflow.specification.tasks[2].id`",
    ),
    "an empty id": (
        lambda d: specified(d)[0].update(id=""),
        "$.workflow.specification.tasks[0].id: an id has 1 to 255 characters, not 0",
    ),
    "an id that is too long": (
        lambda d: specified(d)[0].update(id="x" * 256),
        "$.workflow.specification.tasks[0].id: an id has 1 to 255 characters, not 256",
    ),
    "an id with a line break": (
        lambda d: specified(d)[0].update(id="a\nb"),
        "$.workflow.specification.tasks[0].id: an id can't have control characters",
    ),
    "a name that is too long": (
        lambda d: specified(d)[0].update(name="x" * 256),
        "$.workflow.specification.tasks[0].name: an id has 1 to 255 characters, not 256",
    ),
    "a NUL": (
        lambda d: executed(d)[0]["command"].update(arguments=["a\0b"]),
        "$.workflow.execution.tasks[0].command.arguments[0]: text with a NUL character (U+0000) can't be stored",
    ),
    "a lone surrogate": (
        lambda d: executed(d)[0]["command"].update(program="\ud800"),
        "$.workflow.execution.tasks[0].command.program: text with a lone surrogate (U+D800) can't be stored",
    ),
    "NaN": (
        lambda d: executed(d)[3].update(runtimeInSeconds=float("nan")),
        "$.workflow.execution.tasks[3].runtimeInSeconds: nan is not a JSON number",
    ),
    "infinity": (
        lambda d: executed(d)[3].update(avgCPU=float("inf")),
        "$.workflow.execution.tasks[3].avgCPU: inf is not a JSON number",
    ),
    "an integer that is too large": (
        lambda d: executed(d)[0].update(readBytes=2**53),
        "$.workflow.execution.tasks[0].readBytes: the integer 9007199254740992 is beyond ±(2^53 - 1)",
    ),
    "a negative runtime": (
        lambda d: executed(d)[0].update(runtimeInSeconds=-0.1),
        "not WfFormat 1.5: Expected `float` >= 0.0 - at `$.workflow.execution.tasks[0].runtimeInSeconds`",
    ),
    "a runtime in text": (
        lambda d: executed(d)[0].update(runtimeInSeconds="1"),
        "- at `$.workflow.execution.tasks[0].runtimeInSeconds`",
    ),
    "a runtime that is true": (
        lambda d: executed(d)[0].update(runtimeInSeconds=True),
        "- at `$.workflow.execution.tasks[0].runtimeInSeconds`",
    ),
    "no runtime": (
        lambda d: executed(d)[0].pop("runtimeInSeconds"),
        "Object missing required field `runtimeInSeconds` - at `$.workflow.execution.tasks[0]`",
    ),
    "a negative size": (
        lambda d: d["workflow"]["specification"]["files"][0].update(sizeInBytes=-1),
        "Expected `int` >= 0 - at `$.workflow.specification.files[0].sizeInBytes`",
    ),
    "an unknown parent": (
        lambda d: specified(d)[1].update(parents=["nobody"]),
        "$.workflow.specification.tasks[1]: the parent 'nobody' of 'work_ID02' is not a task",
    ),
    "an unknown child": (
        lambda d: specified(d)[4].update(children=["nobody"]),
        "$.workflow.specification.tasks[4]: the child 'nobody' of 'merge_ID05' is not a task",
    ),
    "a parent that knows nothing of it": (
        lambda d: specified(d)[0].update(children=["work_ID02", "work_ID03"]),
        "$.workflow.specification.tasks[3]: 'work_ID04' names 'split_ID01' as its parent, "
        "but 'split_ID01' does not have it among its children",
    ),
    "a child that knows nothing of it": (
        lambda d: specified(d)[3].update(parents=[]),
        "$.workflow.specification.tasks[0]: 'split_ID01' names 'work_ID04' as its child, "
        "but 'work_ID04' does not have it among its parents",
    ),
    "a duplicate task": (
        lambda d: specified(d).append(specified(d)[0]),
        "$.workflow.specification.tasks[5]: the id 'split_ID01' is already at [0]",
    ),
    "a duplicate file": (
        lambda d: d["workflow"]["specification"]["files"].append({"id": "split_ID01.out", "sizeInBytes": 1}),
        "$.workflow.specification.files[5]: the id 'split_ID01.out' is already at [0]",
    ),
    "executed twice": (
        lambda d: executed(d).append(executed(d)[1]),
        "$.workflow.execution.tasks[5]: the id 'work_ID02' is already at [1]",
    ),
    "an unknown task was executed": (
        lambda d: executed(d)[2].update(id="nobody"),
        "$.workflow.execution.tasks[2]: 'nobody' is not a task of the specification",
    ),
    "a task was not executed": (
        lambda d: executed(d).pop(),
        "$.workflow.execution.tasks has no entry for 'merge_ID05': how did it run?",
    ),
}


@pytest.mark.parametrize(("content", "reason"), BROKEN_TEXTS.values(), ids=BROKEN_TEXTS)
def test_a_text_that_is_no_trace_is_refused_with_its_reason(content: bytes, reason: str) -> None:
    with pytest.raises(TraceError) as refused:
        parse_trace(content, "'test.json'")
    assert str(refused.value).startswith("trace 'test.json': ")
    assert reason in str(refused.value)


@pytest.mark.parametrize(("change", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_trace_is_refused_with_reason_and_place(change: Change, reason: str) -> None:
    value = document()
    change(value)
    with pytest.raises(TraceError) as refused:
        parse_trace(text(value), "'test.json'")
    assert str(refused.value).startswith("trace 'test.json': ")
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)


CYCLES: dict[str, tuple[dict[str, list[str]], str]] = {
    "itself": ({"a": ["a"]}, "a → a"),
    "two": ({"first": [], "a": ["b", "first"], "b": ["a"]}, "a → b → a"),
    "three and what follows them": (
        {"after": ["c"], "a": ["c"], "b": ["a"], "c": ["b"], "before": []},
        "c → a → b → c",
    ),
    "a long one is shortened": (
        {f"t{n}": [f"t{(n - 1) % 30}"] for n in range(30)},
        "t0 → t1 → t2 → t3 → t4 → t5 → … → t26 → t27 → t28 → t29 → t0",
    ),
}


@pytest.mark.parametrize(("graph", "circle"), CYCLES.values(), ids=CYCLES)
def test_a_cycle_is_refused_and_its_ids_are_named(graph: dict[str, list[str]], circle: str) -> None:
    with pytest.raises(TraceError) as refused:
        trace(graph)
    assert str(refused.value).endswith(f": its tasks wait for each other in a cycle: {circle}")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner)))
@settings(max_examples=30, deadline=None)
def test_any_json_is_a_trace_or_a_trace_error(value: Any) -> None:
    broken = document()
    broken["workflow"]["specification"]["tasks"] = value
    with pytest.raises(TraceError):
        parse_trace(json.dumps(broken).encode(), "x")


# --- files -------------------------------------------------------------------------------------------------------


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "diamond.json").write_bytes(text(document()))
    assert read_trace(tmp_path / "diamond.json") == trace()


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"there is no file '.*/nothing\.json'"):
        read_trace(tmp_path / "nothing.json")


def test_a_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="is a folder: name the JSON file in it"):
        read_trace(tmp_path)


def test_a_path_that_no_system_takes_says_so() -> None:
    with pytest.raises(TraceError, match="can't be read: embedded null byte"):
        read_trace("a\0b.json")


def test_a_loop_of_links_says_so(tmp_path: Path) -> None:
    (tmp_path / "loop.json").symlink_to("loop.json")
    with pytest.raises(TraceError, match=r"can't be read: Too many levels of symbolic links"):
        read_trace(tmp_path / "loop.json")


def test_an_unreadable_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "secret.json"
    path.write_bytes(text(document()))
    path.chmod(0)
    if os.access(path, os.R_OK):  # root reads everything: ask as nobody, who may not
        tmp_path.chmod(0o755)
        code = (
            "import os, sys\nfrom diglot.statestore.trace.wfformat import read_trace\nos.setuid(65534)\n"
            "try: read_trace(sys.argv[1])\nexcept Exception as error: print(type(error).__name__, error)"
        )
        answer = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
        assert answer.stdout.startswith("TraceError trace ")
        assert "can't be read: Permission denied" in answer.stdout
    else:
        with pytest.raises(TraceError, match="can't be read: Permission denied"):
            read_trace(path)


def test_a_file_without_end_is_refused_after_its_limit() -> None:
    with pytest.raises(TraceError, match="'/dev/zero': it is larger than 1 MiB"):
        read_trace("/dev/zero", 2**20)


def test_a_pipe_is_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.json"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=[text(document())])
    writer.start()
    assert read_trace(pipe) == trace()
    writer.join()


def test_a_minus_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text(document()))))
    assert read_trace("-") == trace()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"nonsense")))
    with pytest.raises(TraceError, match="trace standard input: not JSON"):
        read_trace("-")


RECORDED = Path(__file__).parents[3] / "examples" / "recorded-test-run.json"


def test_the_bundled_trace_is_small() -> None:
    assert 20 <= len(bundled_trace().tasks) <= 40


@pytest.mark.parametrize("found", [bundled_trace(), read_trace(str(RECORDED))], ids=["bundled", "example"])
def test_what_was_recorded_is_sound_and_names_no_machine(found: Trace) -> None:
    assert all(re.fullmatch(r"controller|worker-\d", machine) for machine in found.machines)
    assert {machine for task in found.tasks for machine in task.machines} <= set(found.machines)
    assert not any("/" in part[:1] for task in found.tasks for part in task.arguments), "no absolute path"
