"""deploy/: Grafana takes the dashboard, Prometheus the rules, and every metric in both is one of the service's."""

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

from diglot import errors, statestore
from diglot.statestore.server.metrics import kind_of
from tests.statestore.server.client import Client, key_of, serving

DEPLOY = Path(__file__).parents[3] / "deploy"
DASHBOARD = DEPLOY / "grafana" / "diglot.json"
RULES = DEPLOY / "prometheus" / "diglot.rules.yml"
ALERTS = Path(__file__).with_name("alerts.yml")
OF_PROMETHEUS = {"up"}
OF_SCRAPE = {"job", "instance"}


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


def named_but_not_exported(expression: str, exported: dict[str, set[str]]) -> set[str]:
    """Metrics and labels of an expression that the service, or the scrape, does not know."""
    named = metrics_of(expression) - OF_PROMETHEUS
    known = OF_SCRAPE.union(*(exported.get(name, set()) for name in named))
    return {*(named - set(exported)), *(labels_of(expression) - known)}


@pytest.fixture(scope="module")
def exported() -> dict[str, set[str]]:
    """The names of all samples of a service that has worked, with their labels; SQLite has all, PostgreSQL fewer."""
    with statestore.open("sqlite://:memory:") as db, serving(db) as http:
        admin = Client(http, key_of(db, "ada@example.org", "admin"))
        admin.put_workflow()
        admin("POST", "/workflows/w1/complete")
        assert admin("POST", "/users", json={"email": "ada@example.org"}).status_code == 409
        families = list(text_string_to_metric_families(http.get("/metrics").text))
    found: dict[str, set[str]] = {}
    for sample in (sample for family in families for sample in family.samples):
        found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_every_metric_and_label_is_exported(exported: dict[str, set[str]]) -> None:
    expressions = [*expressions_of_dashboard(), *expressions_of_rules()]
    assert len(expressions) > 20
    assert all(map(metrics_of, expressions))
    missing = {text: named_but_not_exported(text, exported) for text in expressions}
    assert {text: names for text, names in missing.items() if names} == {}


def test_what_is_not_exported_is_found(exported: dict[str, set[str]]) -> None:
    expression = 'sum by (le, colour) (rate(database_query_seconds_bucket{flavour="x", job=~"$job"}[5m])) / up > 0.5'
    assert named_but_not_exported(expression, exported) == {"database_query_seconds_bucket", "colour", "flavour", "le"}


def test_every_kind_of_error_in_the_rules_is_one() -> None:
    every = {
        kind_of(error) for error in vars(errors).values() if isinstance(error, type) and issubclass(error, Exception)
    }
    named = [
        kind
        for text in expressions_of_rules()
        for kinds in re.findall(r'kind=~?"([^"]*)"', text)
        for kind in kinds.split("|")
    ]
    assert named
    assert set(named) <= every


def test_grafanas_model_knows_every_field_of_the_dashboard() -> None:
    """Read and written again by Grafana's own library, which drops what it does not know, it is the same."""
    plugins.register_default_plugins()
    given = json.loads(DASHBOARD.read_text())
    taken = json.loads(JSONEncoder().encode(Dashboard.from_json(given)))
    assert list(_dropped(given, taken)) == []
    places = [(panel["id"], panel["gridPos"]["x"] + panel["gridPos"]["w"]) for panel in given["panels"]]
    assert len({number for number, _ in places}) == len(places)
    assert all(end <= 24 for _, end in places), "a row has 24 columns"


def _dropped(given: Any, taken: Any, path: str = "$") -> Iterator[str]:
    if isinstance(given, dict):
        for key, value in given.items():
            if not isinstance(taken, dict) or key not in taken:
                yield f"{path}.{key}"
            else:
                yield from _dropped(value, taken[key], f"{path}.{key}")
    elif isinstance(given, list):
        for number, value in enumerate(given):
            yield from _dropped(value, taken[number], f"{path}[{number}]")
    elif given != taken:
        yield path


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is in Debian's package prometheus")
@pytest.mark.parametrize(
    "arguments", [["check", "rules", RULES], ["test", "rules", Path(__file__).with_name("alerts.yml")]]
)
def test_prometheus_takes_the_rules_and_they_fire(arguments: list[Any]) -> None:
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
