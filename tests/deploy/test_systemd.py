"""The units: systemd reads them without a remark, each job has a timer, and what they write to is theirs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from diglot.statestore.server.settings import ServerSettings
from tests.deploy.files import PROGRAM, SANDBOX, SYSTEMD, unit

SERVICES = sorted(SYSTEMD.glob("*.service"))
JOBS = [path for path in SERVICES if path.name != "diglot-server.service"]
TIMERS = sorted(SYSTEMD.glob("*.timer"))
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is in Debian's package systemd"
)


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units as they are installed, with a program that exists on this machine."""
    folder = tmp_path / "units"
    shutil.copytree(SYSTEMD, folder)
    for path in folder.glob("*.service"):
        path.write_text(path.read_text().replace(PROGRAM, sys.executable))
    return folder


@needs_systemd
def test_systemd_takes_every_unit_without_a_remark(units: Path) -> None:
    done = analyze("verify", "--man=no", *units.glob("*.service"), *units.glob("*.timer"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_systemd
@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("diglot-.service.d/sandbox.conf", "NoNewPrivileges=yes", "NoNewPrivilege=yes"),
        ("diglot-backup.timer", "OnCalendar=*-*-* 02:00", "OnCalendar=nightly"),
        ("diglot-backup.service", "Type=oneshot", "Type=once"),
    ],
)
def test_what_systemd_would_ignore_is_found(units: Path, name: str, old: str, new: str) -> None:
    text = (units / name).read_text()
    assert old in text
    (units / name).write_text(text.replace(old, new))
    assert analyze("verify", "--man=no", *units.glob("*.service"), *units.glob("*.timer")).stderr


@needs_systemd
@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.stem)
def test_a_service_is_hardly_exposed(units: Path, path: Path) -> None:
    done = analyze("security", "--offline=true", "--threshold=20", units / path.name)
    assert done.returncode == 0, done.stdout
    (units / "diglot-.service.d" / "sandbox.conf").unlink()
    assert analyze("security", "--offline=true", "--threshold=20", units / path.name).returncode != 0


def test_the_common_settings_are_those_of_every_unit() -> None:
    """systemd reads diglot-.service.d for what begins with "diglot-"."""
    assert SANDBOX.parent.name == "diglot-.service.d"
    assert len(SERVICES) == 4
    assert all(path.name.startswith("diglot-") for path in SERVICES)


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.stem)
def test_a_service_has_no_rights_and_no_secret(path: Path) -> None:
    service = unit(path)["Service"]
    assert (service["User"], service["NoNewPrivileges"], service["CapabilityBoundingSet"]) == (
        ["diglot"],
        ["yes"],
        [""],
    )
    assert (service["ProtectSystem"], service["ProtectHome"], service["UMask"]) == (["strict"], ["yes"], ["0077"])
    assert "Environment" not in service, "settings belong into the file that only root can read"


@pytest.mark.parametrize("path", JOBS, ids=lambda path: path.stem)
def test_a_job_is_started_by_a_timer_and_may_write_what_it_names(path: Path) -> None:
    service = unit(path)["Service"]
    assert service["Type"] == ["oneshot"]
    assert "Install" not in unit(path), "its timer is enabled, not the job"
    (timer,) = (timer for timer in TIMERS if timer.stem == path.stem)
    assert unit(timer)["Timer"]["Persistent"] == ["true"], "a night that the machine was off is made up for"
    assert unit(timer)["Install"]["WantedBy"] == ["timers.target"]
    allowed = {"/var/lib/diglot", *" ".join(service["ReadWritePaths"]).split()}
    named = re.findall(r"/var/\S+", service["ExecStart"][0])
    assert named
    assert all(any(place == top or place.startswith(f"{top}/") for top in allowed) for place in named)


def test_the_timers_do_not_start_at_the_same_time() -> None:
    moments = [unit(timer)["Timer"]["OnCalendar"][0] for timer in TIMERS]
    assert len(set(moments)) == len(TIMERS) == len(JOBS)


def test_every_folder_that_is_not_systemd_s_is_made() -> None:
    """StateDirectory= makes /var/lib/diglot; a folder of ReadWritePaths= that is missing ends the start."""
    made = {
        line.split()[1] for line in (SYSTEMD / "diglot.tmpfiles.conf").read_text().splitlines() if line.startswith("d ")
    }
    for path in JOBS:
        assert {*" ".join(unit(path)["Service"]["ReadWritePaths"]).split()} <= made


def test_requests_under_way_may_end_before_the_service_is_killed() -> None:
    (seconds,) = unit(SYSTEMD / "diglot-server.service")["Service"]["TimeoutStopSec"]
    assert int(seconds.removesuffix("s")) > ServerSettings().request_timeout + 5
