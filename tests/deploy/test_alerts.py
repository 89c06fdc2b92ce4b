"""The alerts of the nightly jobs: they ask for metrics that are published, and fire when they should."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from diglot.ops.textfile import METRICS
from tests.deploy.files import DEPLOY, manifests

RULES = DEPLOY / "prometheus" / "diglot-jobs.rules.yml"
FIRING = Path(__file__).with_name("alerts.yml")
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is in Debian's package prometheus"
)


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_metrics_that_are_published(rule: dict[str, Any]) -> None:
    named = set(re.findall(r"diglot_\w+", rule["expr"]))
    assert named
    assert named <= METRICS.keys()
    labels = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
    assert labels <= {"instance", "file"}


def test_every_alert_is_shown_to_fire() -> None:
    fired = {
        case["alertname"]
        for test in yaml.safe_load(FIRING.read_text())["tests"]
        for case in test["alert_rule_test"]
        if case["exp_alerts"]
    }
    assert fired == {rule["alert"] for rule in rules()}


@needs_promtool
def test_prometheus_takes_the_rules_and_they_fire() -> None:
    for arguments in (("check", "rules", RULES), ("test", "rules", FIRING)):
        done = promtool(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_prometheus_takes_the_rules_for_kubernetes(tmp_path: Path) -> None:
    (found,) = (each for each in manifests("sqlite") if each["kind"] == "PrometheusRule")
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(found["spec"]))
    done = promtool("check", "rules", tmp_path / "rules.yml")
    assert done.returncode == 0, done.stdout + done.stderr
