"""Small traces for the tests, as the JSON of a file would be: `document(...)` from a graph, to be broken at will."""

from __future__ import annotations

import json
from typing import Any

from diglot.statestore.trace.wfformat import Trace, parse_trace

Graph = dict[str, list[str]]
"""Task ids to the ids of their parents."""

DIAMOND: Graph = {
    "split_ID01": [],
    "work_ID02": ["split_ID01"],
    "work_ID03": ["split_ID01"],
    "work_ID04": ["split_ID01"],
    "merge_ID05": ["work_ID02", "work_ID03", "work_ID04"],
}


def document(graph: Graph = DIAMOND, *, runtimes: dict[str, float] | None = None) -> dict[str, Any]:
    """A sound WfFormat document; every task runs 0.5 s, or as long as ``runtimes`` says."""
    tasks = [
        {
            "id": task,
            "name": task,
            "parents": parents,
            "children": [other for other, named in graph.items() if task in named],
            "inputFiles": [f"{parent}.out" for parent in parents],
            "outputFiles": [f"{task}.out"],
        }
        for task, parents in graph.items()
    ]
    executed = [
        {
            "id": task,
            "runtimeInSeconds": (runtimes or {}).get(task, 0.5),
            "command": {"program": f"/opt/bin/{task.partition('_')[0]}", "arguments": ["-o", f"{task}.out"]},
            "avgCPU": 87.5,
            "memoryInBytes": 14692000,
            "readBytes": 1024,
            "writtenBytes": 2048,
            "machines": ["worker-1"],
        }
        for task in graph
    ]
    return {
        "name": "diamond",
        "description": "made for a test",
        "createdAt": "2026-01-31T09:05:07Z",
        "schemaVersion": "1.5",
        "runtimeSystem": {"name": "pytest", "version": "9"},
        "workflow": {
            "specification": {
                "tasks": tasks,
                "files": [{"id": f"{task}.out", "sizeInBytes": 100} for task in graph],
            },
            "execution": {
                "makespanInSeconds": 1.5,
                "executedAt": "2026-01-31T09:05:07Z",
                "tasks": executed,
                "machines": [{"nodeName": "worker-1", "system": "linux"}],
            },
        },
    }


def text(value: Any) -> bytes:
    return json.dumps(value).encode()


def trace(graph: Graph = DIAMOND, **options: Any) -> Trace:
    return parse_trace(text(document(graph, **options)), "'test.json'")


def specified(value: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = value["workflow"]["specification"]["tasks"]
    return found


def executed(value: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = value["workflow"]["execution"]["tasks"]
    return found
