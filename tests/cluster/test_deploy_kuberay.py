"""The KubeRay manifests, field by field: KubeRay's own schemas are too large to keep, and no test needs the network.

Who has them runs these tests with LOCBENCH_SCHEMAS, a folder with rayclusters.yaml and rayjobs.yaml
(ray-operator/config/crd/bases/ray.io_*.yaml of ray-project/kuberay): then a field that they do not know is an error.
"""

import os
import re
import shlex
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from tests.cluster import compose_file
from tests.cluster.compose_file import ROOT

KUBERAY = ROOT / "deploy" / "kuberay"
SCHEMAS = os.environ.get("LOCBENCH_SCHEMAS", "")
NODE_KEYS = {
    "automountServiceAccountToken": bool,
    "securityContext": dict,
    "containers": list,
    "volumes": list,
}
CONTAINER_KEYS = {
    "name": str,
    "image": str,
    "env": list,
    "resources": dict,
    "ports": list,
    "securityContext": dict,
    "livenessProbe": dict,
    "readinessProbe": dict,
    "volumeMounts": list,
}
QUANTITY = re.compile(r"\d+(\.\d+)?(m|Ki|Mi|Gi|Ti)?")


def documents(*folders: Path) -> list[dict[str, Any]]:
    """Every object that `kubectl apply -k` of these folders makes."""
    found = []
    for folder in folders:
        for name in yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]:
            found += list(yaml.safe_load_all((folder / name).read_text()))
    return found


def one(kind: str) -> dict[str, Any]:
    (found,) = [document for document in documents(KUBERAY, KUBERAY / "job") if document["kind"] == kind]
    return found


CLUSTER = one("RayCluster")
JOB = one("RayJob")
GROUPS = {"head": CLUSTER["spec"]["headGroupSpec"]} | {
    group["groupName"]: group for group in CLUSTER["spec"]["workerGroupSpecs"]
}


def test_every_file_is_listed_and_nothing_is_twice() -> None:
    for folder in (KUBERAY, KUBERAY / "job"):
        listed = yaml.safe_load((folder / "kustomization.yaml").read_text())
        assert set(listed) <= {"apiVersion", "kind", "namespace", "resources", "images"}
        assert sorted(listed["resources"]) == sorted(
            path.name for path in folder.glob("*.yaml") if path.name != "kustomization.yaml"
        )
        assert listed["namespace"] == "locbench"
    names = [(document["kind"], document["metadata"]["name"]) for document in documents(KUBERAY, KUBERAY / "job")]
    assert len(names) == len(set(names))


def test_the_cluster_wants_a_token_and_is_of_our_ray() -> None:
    assert (CLUSTER["apiVersion"], CLUSTER["spec"]["authOptions"]) == ("ray.io/v1", {"mode": "token"})
    assert set(CLUSTER["spec"]) == {"rayVersion", "authOptions", "headGroupSpec", "workerGroupSpecs"}
    assert CLUSTER["spec"]["rayVersion"] == version("ray")
    assert GROUPS["head"]["serviceType"] == "ClusterIP"
    assert GROUPS["head"]["rayStartParams"]["num-cpus"] == "0"
    assert all(isinstance(value, str) for group in GROUPS.values() for value in group["rayStartParams"].values())


@pytest.mark.parametrize("name", GROUPS)
def test_a_pod_passes_the_restricted_standard(name: str) -> None:
    pod = GROUPS[name]["template"]["spec"]
    assert {key: type(value) for key, value in pod.items()} == NODE_KEYS
    assert pod["automountServiceAccountToken"] is False
    user = pod["securityContext"]
    assert user["runAsNonRoot"] is True
    assert user["seccompProfile"] == {"type": "RuntimeDefault"}
    assert {user["runAsUser"], user["runAsGroup"], user["fsGroup"]} == {10001}
    for container in pod["containers"]:
        assert all(isinstance(value, CONTAINER_KEYS[key]) for key, value in container.items())
        rights = container["securityContext"]
        assert rights["capabilities"] == {"drop": ["ALL"]}
        assert rights["readOnlyRootFilesystem"] is True
        assert rights["allowPrivilegeEscalation"] is False
    assert one("Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("name", GROUPS)
def test_what_a_pod_mounts_is_there(name: str) -> None:
    pod = GROUPS[name]["template"]["spec"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    (container,) = pod["containers"]
    assert [mount["name"] for mount in container["volumeMounts"]] == list(volumes)
    claims = {
        volume["persistentVolumeClaim"]["claimName"] for volume in volumes.values() if "persistentVolumeClaim" in volume
    }
    assert claims == {
        document["metadata"]["name"] for document in documents(KUBERAY) if document["kind"] == "PersistentVolumeClaim"
    }
    writable = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
    assert writable == {"/runs", "/ray", "/tmp", "/dev/shm"}
    for amounts in container["resources"].values():
        assert all(isinstance(amount, int) or QUANTITY.fullmatch(amount) for amount in amounts.values())


@pytest.mark.parametrize("name", GROUPS)
def test_a_pod_is_the_same_as_in_compose(name: str) -> None:
    """The image, its environment, its volumes and its health are those of the services that the tests start."""
    (container,) = GROUPS[name]["template"]["spec"]["containers"]
    service = compose_file.load()["services"]["ray-head" if name == "head" else "ray-worker"]
    assert container["image"] == service["image"]
    environment = {variable["name"]: variable["value"] for variable in container["env"]}
    of_the_operator = {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH"}
    assert environment == {key: value for key, value in service["environment"].items() if key not in of_the_operator}
    places = {mount["mountPath"] for mount in container["volumeMounts"]} - {"/tmp", "/dev/shm"}
    assert places == {mount.target for mount in compose_file.mounts(service)} - {"/gpus"}
    for probe in (container["livenessProbe"], container["readinessProbe"]):
        assert probe["exec"]["command"] == service["healthcheck"]["test"][1:]


@pytest.mark.parametrize("name", sorted(set(GROUPS) - {"head"}))
def test_a_group_of_workers_knows_its_bounds_and_its_gpus(name: str) -> None:
    group = GROUPS[name]
    assert set(group) == {"groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template"}
    assert 0 <= group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    resources = group["template"]["spec"]["containers"][0]["resources"]
    assert resources["requests"]["nvidia.com/gpu"] == resources["limits"]["nvidia.com/gpu"]


def test_the_job_runs_on_that_cluster_what_the_command_line_knows() -> None:
    from typer.main import get_command

    from bench.cli.app import app

    assert JOB["apiVersion"] == "ray.io/v1"
    # The operator refuses a number of retries together with a cluster that is there.
    assert set(JOB["spec"]) == {"clusterSelector", "submissionMode", "entrypoint", "shutdownAfterJobFinishes"}
    assert JOB["spec"]["clusterSelector"] == {"ray.io/cluster": CLUSTER["metadata"]["name"]}
    assert JOB["spec"]["submissionMode"] in {"K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"}
    program, command, study, *options = shlex.split(JOB["spec"]["entrypoint"])
    assert (program, command) == ("locbench", "run")
    assert (ROOT / "sweeps" / f"{study}.yaml").is_file()
    known = {name for option in get_command(app).commands["run"].params for name in option.opts}  # type: ignore[attr-defined]
    assert {word for word in options if word.startswith("--")} <= known


def test_the_network_lets_in_the_cluster_the_operator_and_marked_clients() -> None:
    policy = one("NetworkPolicy")
    assert policy["spec"]["policyTypes"] == ["Ingress"]
    ours = {"matchLabels": {"ray.io/cluster": CLUSTER["metadata"]["name"]}}
    assert policy["spec"]["podSelector"] == ours
    inside, beyond = policy["spec"]["ingress"]
    assert inside == {"from": [{"podSelector": ours}]}
    assert beyond["ports"] == [{"protocol": "TCP", "port": 8265}]
    assert all(source["podSelector"]["matchLabels"] for source in beyond["from"])


def strict(schema: Any) -> Any:
    """The same schema, in which a field that it does not name is an error."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    parts = {key: strict(value) for key, value in schema.items()}
    if "properties" in schema and "additionalProperties" not in schema and schema.get("type") == "object":
        parts["additionalProperties"] = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    return parts


def own_schemas() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """A manifest, and what the operator says of its kind."""
    for manifest, name in ((CLUSTER, "rayclusters.yaml"), (JOB, "rayjobs.yaml")):
        versions = yaml.load((Path(SCHEMAS) / name).read_text(), Loader=yaml.CSafeLoader)["spec"]["versions"]
        (schema,) = [one["schema"]["openAPIV3Schema"] for one in versions if one["name"] == "v1"]
        schema["properties"]["metadata"] = {"type": "object", "properties": {"name": {"type": "string"}}}
        yield manifest, strict(schema)


@pytest.mark.skipif(not SCHEMAS, reason="needs LOCBENCH_SCHEMAS, a folder with the operator's schemas")
def test_the_operators_schemas_allow_them() -> None:
    for manifest, schema in own_schemas():
        validator = Draft7Validator(schema)
        assert [error.message for error in validator.iter_errors(manifest)] == []
        assert list(validator.iter_errors(manifest | {"spec": manifest["spec"] | {"noSuchField": 1}}))
