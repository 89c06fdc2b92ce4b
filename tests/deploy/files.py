"""What deploy/ has, read into plain values: units of systemd, compose files, manifests, the Dockerfile."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).parents[2]
DEPLOY = PROJECT / "deploy"
SYSTEMD = DEPLOY / "systemd"
SANDBOX = SYSTEMD / "diglot-.service.d" / "sandbox.conf"
COMPOSE = sorted((DEPLOY / "compose").glob("*.yml"))
KUBERNETES = DEPLOY / "kubernetes"
VARIANTS = ("postgres", "sqlite")
DOCKERFILE = DEPLOY / "docker" / "Dockerfile"
PROGRAM = "/opt/diglot/bin/diglot"
Unit = dict[str, dict[str, list[str]]]
"""Section to key to all its values, in their order."""


def unit(path: Path) -> Unit:
    """A unit with what the common drop-in adds to a service."""
    found: Unit = {}
    for file in (SANDBOX, path) if path.suffix == ".service" else (path,):
        section = ""
        for number, line in enumerate(file.read_text().splitlines(), start=1):
            if match := re.fullmatch(r"\[(\w+)\]", line):
                section = match[1]
            elif line and not line.startswith("#"):
                key, sign, value = line.partition("=")
                assert section, f"{file.name}:{number}"
                assert sign, f"{file.name}:{number}"
                found.setdefault(section, {}).setdefault(key, []).append(value)
    return found


def compose(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


def own_services(path: Path) -> dict[str, dict[str, Any]]:
    """The services of a compose file that run our image."""
    return {name: one for name, one in compose(path)["services"].items() if one["image"].startswith("diglot:")}


def manifests(variant: str) -> list[dict[str, Any]]:
    """What is applied for a database, as it is in the files: without the patches of kustomize."""
    return [
        each for folder in ("base", variant) for each in _documents(folder) if "kustomize" not in each["apiVersion"]
    ]


def _documents(folder: str) -> Iterator[dict[str, Any]]:
    listed = yaml.safe_load((KUBERNETES / folder / "kustomization.yaml").read_text())
    for name in (name for name in listed["resources"] if not name.startswith("..")):
        yield from yaml.safe_load_all((KUBERNETES / folder / name).read_text())


def pods(manifests: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The pod templates, by kind and name: ``CronJob/diglot-backup``."""
    found = {}
    for each in manifests:
        spec = each.get("spec", {})
        template = spec.get("jobTemplate", {}).get("spec", spec).get("template")
        if template is not None:
            found[f"{each['kind']}/{each['metadata']['name']}"] = template
    return found


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile: (RUN, its arguments on one line), without comments."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [
        (word, " ".join(rest.split())) for word, _, rest in (line.partition(" ") for line in text.splitlines() if line)
    ]


def command_lines() -> dict[str, list[str]]:
    """Where to words after ``diglot``: every command that something in deploy/ starts."""
    found: dict[str, list[str]] = {}
    for path in SYSTEMD.glob("*.service"):
        (command,) = unit(path)["Service"]["ExecStart"]
        program, *words = shlex.split(command)
        assert program == PROGRAM, path.name
        found[path.name] = words
    of_image = dict(instructions())
    assert json.loads(of_image["ENTRYPOINT"]) == ["diglot"]
    found["Dockerfile"] = json.loads(of_image["CMD"])
    for path in COMPOSE:
        for name, service in own_services(path).items():
            found[f"{path.name} {name}"] = service["command"]
    for variant in VARIANTS:
        for name, template in pods(manifests(variant)).items():
            (container,) = template["spec"]["containers"]
            found[f"{variant} {name}"] = container["args"]
    return found
