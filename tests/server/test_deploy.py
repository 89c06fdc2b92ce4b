"""deploy/: Grafana's own model takes the dashboard, promtool the rules, and every metric in both is one of the service's."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client.parser import text_string_to_metric_families

from diglot.errors import DatabaseUnavailable
from diglot.server.metrics import Metrics
from tests.server.client import Client

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARD = DEPLOY / "grafana" / "diglot.json"
RULES = DEPLOY / "prometheus" / "diglot.rules.yml"
OF_PROMETHEUS = {"up"}
_METRIC = re.compile(r"\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b")
_FUNCTION_OR_LABEL = re.compile(r"\{[^}]*\}|\[[^\]]*\]|\b\w+\s*\(|\b(?:by|without)\s*\([^)]*\)|\"[^\"]*\"")


def metrics_of(expression: str) -> set[str]:
    """The names of metrics in PromQL: what remains without functions, labels, ranges and texts."""
    bare = re.sub(r"\b(?:by|without)\s*\([^)]*\)", " ", expression)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\"[^\"]*\"|\b\w+\s*\(", " ", bare)
    return set(re.findall(r"\b[a-z]\w*\b", bare)) - {"and", "or", "unless", "bool", "on", "ignoring"}


def labels_of(expression: str) -> set[str]:
    """The names of labels that PromQL selects or groups by."""
    selected = [name for block in re.findall(r"\{([^}]*)\}", expression) for name in re.findall(r"(\w+)\s*[=!]", block)]
    groups = re.findall(r"\b(?:by|without)\s*\(([^)]*)\)", expression)
    return {*selected, *(name.strip() for group in groups for name in group.split(","))}


def expressions_of_dashboard() -> Iterator[str]:
    dashboard = json.loads(DASHBOARD.read_text())
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            metric = re.fullmatch(r"label_values\((\w+), \w+\)", variable["query"]["query"])
            assert metric is not None
            yield metric[1]


def expressions_of_rules() -> Iterator[str]:
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        yield from (rule["expr"] for rule in group["rules"])


@pytest.fixture
def exported(user: Client) -> dict[str, set[str]]:
    """The names of all samples of a service that has worked, with their labels."""
    user.put_workflow()
    user("POST", "/workflows/w1/complete")
    metrics: Metrics = user.http.app.app.state.metrics  # type: ignore[attr-defined]
    metrics.error(DatabaseUnavailable())
    families = text_string_to_metric_families(user.http.get("/metrics").text)
    found: dict[str, set[str]] = {}
    for sample in (sample for family in families for sample in family.samples):
        found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_every_metric_and_label_in_dashboard_and_rules_is_exported(exported: dict[str, set[str]], user: Client) -> None:
    of_scrape = {"job", "instance"}
    for expression in [*expressions_of_dashboard(), *expressions_of_rules()]:
        named = metrics_of(expression) - OF_PROMETHEUS
        if user.http.app.app.state.database.store.dialect == "postgres":  # type: ignore[attr-defined]
            named = {name for name in named if not name.startswith("database_sqlite_")}
        assert named <= set(exported), expression
        if named:
            assert labels_of(expression) <= of_scrape.union(*(exported[name] for name in named)), expression
