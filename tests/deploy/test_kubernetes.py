"""The manifests: Kubernetes' own schemas know every field, and what must belong together does."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import kubernetes_validate
import pytest
import yaml

from diglot._version import __version__
from diglot.statestore.server.settings import ServerSettings
from tests.deploy.files import KUBERNETES, VARIANTS, manifests, pods

KUBECTL = shutil.which("kubectl")
OLDEST = "1.30"
"""Of Kubernetes: what is not in its schemas is refused."""
OPERATOR = {"ServiceMonitor", "PrometheusRule"}
Manifests = list[dict[str, Any]]


def written(variant: str) -> Manifests:
    return manifests(variant)


def built(variant: str) -> Manifests:
    """As 'kubectl apply --kustomize' sends them."""
    if KUBECTL is None:
        pytest.skip("kubectl is in Debian's package kubernetes-client")
    done = subprocess.run([KUBECTL, "kustomize", KUBERNETES / variant], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return list(yaml.safe_load_all(done.stdout))


forms = pytest.mark.parametrize("form", [written, built])
variants = pytest.mark.parametrize("variant", VARIANTS)


def of_kind(found: Manifests, kind: str) -> Manifests:
    return [each for each in found if each["kind"] == kind]


@variants
@forms
def test_kubernetes_knows_every_field(variant: str, form: Callable[[str], Manifests]) -> None:
    found = form(variant)
    assert len(found) >= 9
    for each in found:
        if each["kind"] in OPERATOR:
            assert each["apiVersion"] == "monitoring.coreos.com/v1"
        else:
            kubernetes_validate.validate(each, OLDEST, strict=True)
            kubernetes_validate.validate(each, kubernetes_validate.latest_version(), strict=True)


def test_a_field_that_is_mistyped_is_found() -> None:
    deployment = of_kind(written("postgres"), "Deployment")[0]
    deployment["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, OLDEST, strict=True)


@variants
@forms
def test_a_pod_has_no_rights_and_writes_only_to_volumes(variant: str, form: Callable[[str], Manifests]) -> None:
    """The profile 'restricted' of Kubernetes' Pod Security Standards, and a root file system that is read-only."""
    found = pods(form(variant))
    assert len(found) == 4
    for name, template in found.items():
        spec = template["spec"]
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["enableServiceLinks"] is False, name
        context = spec["securityContext"]
        assert (context["runAsNonRoot"], context["runAsUser"], context["fsGroup"]) == (True, 10001, 10001), name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert all(volume.keys() & {"emptyDir", "persistentVolumeClaim"} for volume in spec["volumes"]), name
        (container,) = spec["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        assert "memory" in container["resources"]["limits"], name
        assert "env" not in container, f"{name}: settings come from a Secret"
        assert {mount["name"] for mount in container["volumeMounts"]} == {one["name"] for one in spec["volumes"]}, name


@variants
def test_no_secret_is_in_a_manifest(variant: str) -> None:
    assert not of_kind(written(variant), "Secret")
    for template in pods(written(variant)).values():
        (source,) = template["spec"]["containers"][0]["envFrom"]
        assert source["secretRef"]["name"] == "diglot-database"


@variants
@forms
def test_selectors_find_the_server_and_only_it(variant: str, form: Callable[[str], Manifests]) -> None:
    found = form(variant)
    labels = {name: template["metadata"]["labels"] for name, template in pods(found).items()}

    def chosen(selector: dict[str, str]) -> list[str]:
        return [name.partition("/")[0] for name, has in labels.items() if selector.items() <= has.items()]

    kind = {"postgres": "Deployment", "sqlite": "StatefulSet"}[variant]
    (service,) = of_kind(found, "Service")
    assert chosen(service["spec"]["selector"]) == [kind]
    (workload,) = of_kind(found, kind)
    assert chosen(workload["spec"]["selector"]["matchLabels"]) == [kind]
    for budget in of_kind(found, "PodDisruptionBudget"):
        assert chosen(budget["spec"]["selector"]["matchLabels"]) == [kind]
    (monitor,) = of_kind(found, "ServiceMonitor")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert {end["port"] for end in monitor["spec"]["endpoints"]} <= {port["name"] for port in service["spec"]["ports"]}
    ports = {port["name"] for port in workload["spec"]["template"]["spec"]["containers"][0]["ports"]}
    assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


@variants
@forms
def test_every_volume_that_is_claimed_is_there(variant: str, form: Callable[[str], Manifests]) -> None:
    found = form(variant)
    there = {each["metadata"]["name"] for each in of_kind(found, "PersistentVolumeClaim")}
    claimed = {
        volume["persistentVolumeClaim"]["claimName"]
        for template in pods(found).values()
        for volume in template["spec"]["volumes"]
        if "persistentVolumeClaim" in volume
    }
    assert claimed == there


def test_sqlite_has_one_server_and_its_jobs_are_on_the_same_node_with_the_same_file() -> None:
    found = built("sqlite")
    (server,) = of_kind(found, "StatefulSet")
    assert server["spec"]["replicas"] == 1
    assert not of_kind(found, "Deployment")
    for name, template in pods(found).items():
        spec = template["spec"]
        mounts = {mount["name"]: mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]}
        assert mounts["data"] == "/var/lib/diglot", name
        if name.startswith("CronJob/"):
            (term,) = spec["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
            assert term["topologyKey"] == "kubernetes.io/hostname"
            wanted = term["labelSelector"]["matchLabels"].items()
            assert wanted <= server["spec"]["template"]["metadata"]["labels"].items()


def test_postgres_is_updated_and_drained_without_a_gap() -> None:
    found = written("postgres")
    (server,) = of_kind(found, "Deployment")
    assert server["spec"]["replicas"] >= 2
    assert server["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    (budget,) = of_kind(found, "PodDisruptionBudget")
    assert budget["spec"]["maxUnavailable"] == 1
    assert not any("data" in str(template["spec"]["volumes"]) for template in pods(found).values())


@variants
def test_probes_ask_what_they_are_for_and_have_time_for_the_answer(variant: str) -> None:
    settings = ServerSettings()
    (template,) = (one for name, one in pods(written(variant)).items() if not name.startswith("CronJob/"))
    (container,) = template["spec"]["containers"]
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz", "a restart does not bring a database back"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["readinessProbe"]["timeoutSeconds"] > settings.probe_timeout
    pause = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert template["spec"]["terminationGracePeriodSeconds"] > settings.request_timeout + pause + 5


@variants
def test_every_image_is_of_this_version(variant: str) -> None:
    assert all(one["spec"]["containers"][0]["image"] == "diglot" for one in pods(written(variant)).values())
    (image,) = yaml.safe_load((KUBERNETES / variant / "kustomization.yaml").read_text())["images"]
    assert (image["name"], image["newTag"]) == ("diglot", __version__)


@variants
def test_jobs_do_not_overlap_and_end(variant: str) -> None:
    jobs = of_kind(written(variant), "CronJob")
    assert {job["metadata"]["name"] for job in jobs} == {"diglot-backup", "diglot-prune", "diglot-doctor"}
    assert len({job["spec"]["schedule"] for job in jobs}) == 3
    for job in jobs:
        assert job["spec"]["concurrencyPolicy"] == "Forbid"
        assert job["spec"]["jobTemplate"]["spec"]["activeDeadlineSeconds"] >= 3600
