"""What must hold of every manifest, whatever the schemas allow."""

import re
import tomllib
from typing import Any

import click
import pytest

from batching_demo.cli.app import app
from batching_demo.contracts.names import BATCHER_TASK_QUEUE, MAIN_TASK_QUEUE
from batching_demo.temporal import GRACEFUL_SHUTDOWN
from tests.support.commands import tree
from tests.support.manifests import BASE, OVERLAYS, ROOT, Manifests, Pod, selects

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
COMMANDS = {path for path, one in tree(app) if not isinstance(one, click.Group)}
KNOWN_VARIABLES = set(
    re.findall(r"`([A-Z][A-Z_]+)`", (ROOT / "docs" / "configuration.md").read_text())
)
SECRETS = "/etc/batching-demo/secrets/"
POSTGRES, TEMPORAL = 5432, 7233

every_folder = pytest.mark.parametrize("manifests", [BASE, *OVERLAYS], indirect=True)
every_overlay = pytest.mark.parametrize("manifests", OVERLAYS, indirect=True)


def variables(manifests: Manifests, pod: Pod) -> dict[str, str]:
    """Return the environment of a pod: what its ConfigMaps hold, and what it sets itself."""
    environment: dict[str, str] = {}
    for name in pod.config_maps:
        environment |= manifests.config(name)
    return environment | pod.env


@every_folder
def test_nothing_runs_as_root_or_may_become_more_than_it_is(manifests: Manifests) -> None:
    for pod in manifests.pods.values():
        ours = pod.spec["securityContext"]
        assert (ours["runAsNonRoot"], ours["runAsUser"], ours["runAsGroup"]) == (True, 65532, 65532)
        assert ours["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod.container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & pod.spec.keys()
        assert pod.mounts("hostPath") == {}


@every_folder
def test_nothing_gets_a_token_of_the_cluster(manifests: Manifests) -> None:
    accounts = {one["metadata"]["name"]: one for one in manifests.of("ServiceAccount")}
    for pod in manifests.pods.values():
        account = accounts.pop(pod.spec["serviceAccountName"])
        assert account["automountServiceAccountToken"] is False
        assert pod.spec["automountServiceAccountToken"] is False
    assert accounts == {}
    assert manifests.of("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding") == []


@every_folder
def test_processor_and_memory_are_asked_for_and_bounded(manifests: Manifests) -> None:
    for pod in manifests.pods.values():
        resources = pod.container["resources"]
        assert resources["requests"].keys() == resources["limits"].keys() == {"cpu", "memory"}


@every_folder
def test_workers_have_probes_where_they_serve(manifests: Manifests) -> None:
    assert manifests.workers.keys() >= {"batcher-worker", "main-worker"}
    for pod in manifests.workers.values():
        (port,) = pod.container["ports"]
        assert variables(manifests, pod)["BATCHING_DEMO_METRICS_BIND"] == "0.0.0.0:9464"
        assert port == {"name": "metrics", "containerPort": 9464}
        paths = {
            probe: pod.container[f"{probe}Probe"]["httpGet"]
            for probe in ("startup", "liveness", "readiness")
        }
        assert paths == {
            "startup": {"path": "/healthz", "port": "metrics"},
            "liveness": {"path": "/healthz", "port": "metrics"},
            "readiness": {"path": "/readyz", "port": "metrics"},
        }


@every_folder
def test_workers_may_finish_their_writes_and_one_always_runs(manifests: Manifests) -> None:
    for pod in manifests.workers.values():
        spare = pod.spec["terminationGracePeriodSeconds"] - GRACEFUL_SHUTDOWN.total_seconds()
        assert spare >= 10
    for deployment in manifests.of("Deployment"):
        assert deployment["spec"]["strategy"]["rollingUpdate"] == {
            "maxSurge": 1,
            "maxUnavailable": 0,
        }
    budgets = [one["spec"] for one in manifests.of("PodDisruptionBudget")]
    assert [one["maxUnavailable"] for one in budgets] == [1] * len(manifests.workers)


@every_folder
def test_images_are_of_this_version(manifests: Manifests) -> None:
    for pod in manifests.pods.values():
        image, _, tag = pod.container["image"].rpartition(":")
        assert image.endswith("batching-demo")
        assert tag == VERSION


@every_folder
def test_pods_run_commands_that_exist(manifests: Manifests) -> None:
    for name, pod in manifests.pods.items():
        assert tuple(pod.container["args"]) in COMMANDS
        assert "command" not in pod.container
        assert name in ("migrate", "-".join(pod.container["args"]))


@every_folder
def test_every_variable_is_one_that_is_read(manifests: Manifests) -> None:
    for pod in manifests.pods.values():
        assert variables(manifests, pod).keys() <= KNOWN_VARIABLES


@every_folder
def test_no_secret_stands_in_the_environment(manifests: Manifests) -> None:
    assert manifests.of("Secret") == []
    for pod in manifests.pods.values():
        assert all("value" in one for one in pod.container.get("env", []))
        assert all(one.keys() == {"configMapRef"} for one in pod.container.get("envFrom", []))
        named = variables(manifests, pod)
        secret = {name for name in named if re.search("DATABASE_URL|KEY|TOKEN|FROM|QUEUE", name)}
        assert all(name.endswith("_FILE") for name in secret)
        assert not re.search(r"://[^/\s]*@", str(named))


@every_folder
def test_every_file_that_a_variable_names_is_mounted(manifests: Manifests) -> None:
    for pod in manifests.pods.values():
        named = {v for n, v in pod.env.items() if n.endswith("_FILE") and v.startswith(SECRETS)}
        mounted = pod.mounts("secret")
        assert {path.rpartition("/")[0] for path in named} <= mounted.keys()
        assert all(path.startswith(SECRETS) for path in mounted)
        assert all(secret["defaultMode"] == 0o440 for secret in mounted.values())


@every_folder
def test_roles_of_the_database_fit_what_is_done(manifests: Manifests) -> None:
    roles = {
        name: [
            secret["secretName"]
            for path, secret in pod.mounts("secret").items()
            if "postgres" in path
        ]
        for name, pod in manifests.pods.items()
    }

    assert roles.pop("migrate") == ["postgres-owner"]
    assert roles.pop("main-worker") == []
    assert all(secrets == ["postgres-writer"] for secrets in roles.values())


@every_folder
def test_the_main_service_knows_nothing_of_the_database(manifests: Manifests) -> None:
    named = variables(manifests, manifests.pods["main-worker"])

    assert not [name for name in named if "DATABASE" in name or name.startswith("PG")]


@every_overlay
def test_workers_are_told_where_temporal_is(manifests: Manifests) -> None:
    for name in ("batcher-worker", "main-worker"):
        pod = manifests.pods[name]
        named = variables(manifests, pod)
        if path := named.get("TEMPORAL_CONFIG_FILE"):
            folder, _, file = path.rpartition("/")
            text = manifests.config(pod.mounts("configMap")[folder]["name"])[file]
            profile = tomllib.loads(text)["profile"][named["TEMPORAL_PROFILE"]]
            assert profile["address"].endswith(f":{TEMPORAL}")
            assert {path.rpartition("/")[0] for path in profile["tls"].values()} <= pod.mounts(
                "secret"
            ).keys()
            assert (named.get("TEMPORAL_ADDRESS"), named["TEMPORAL_NAMESPACE"]) == (None, "")
        else:
            assert named["TEMPORAL_ADDRESS"].endswith(f":{TEMPORAL}")
            assert named["TEMPORAL_NAMESPACE"]


def reach(manifests: Manifests, pod: Pod) -> set[Any]:
    """Return the ports that the network policies let a pod send to."""
    policies = [
        one["spec"]
        for one in manifests.of("NetworkPolicy")
        if "Egress" in one["spec"]["policyTypes"]
        and selects(one["spec"]["podSelector"], pod.labels)
    ]
    assert any("egress" not in policy for policy in policies), "nothing denies the rest"
    rules = [rule for policy in policies for rule in policy.get("egress", [])]
    return {port["port"] for rule in rules for port in rule["ports"]}


@every_folder
def test_only_what_must_reaches_postgres_and_temporal(manifests: Manifests) -> None:
    expected: dict[str, set[Any]] = {
        "batcher-worker": {53, POSTGRES, TEMPORAL},
        "main-worker": {53, TEMPORAL},
        "migrate": {53, POSTGRES},
        "intake-worker": {53, POSTGRES, 6379},
    }
    for name, pod in manifests.pods.items():
        assert reach(manifests, pod) == expected[name]


@every_folder
def test_only_prometheus_reaches_workers(manifests: Manifests) -> None:
    rules = [
        rule
        for policy in manifests.of("NetworkPolicy")
        if "Ingress" in policy["spec"]["policyTypes"]
        for rule in policy["spec"].get("ingress", [])
    ]

    assert all(rule["ports"] == [{"port": "metrics", "protocol": "TCP"}] for rule in rules)
    assert all("namespaceSelector" in peer for rule in rules for peer in rule["from"])
    assert bool(rules) == bool(manifests.of("ServiceMonitor"))


@every_folder
def test_every_selector_selects_what_it_is_for(manifests: Manifests) -> None:
    pods = manifests.pods
    for deployment in manifests.of("Deployment"):
        selector = deployment["spec"]["selector"]
        template = deployment["spec"]["template"]["metadata"]["labels"]
        assert [one for one in pods.values() if selects(selector, one.labels)] == [
            pods[template["app.kubernetes.io/name"]]
        ]
    for kind in ("PodDisruptionBudget", "Service"):
        found = []
        for one in manifests.of(kind):
            selector = one["spec"]["selector"]
            selector = selector if kind == "PodDisruptionBudget" else {"matchLabels": selector}
            found += [name for name, pod in pods.items() if selects(selector, pod.labels)]
        assert sorted(found) == sorted(manifests.workers)
    for policy in manifests.of("NetworkPolicy"):
        assert any(selects(policy["spec"]["podSelector"], pod.labels) for pod in pods.values())


@pytest.mark.parametrize("manifests", ["overlays/example", "overlays/keda"], indirect=True)
def test_prometheus_finds_every_worker_by_the_name_that_alerts_expect(manifests: Manifests) -> None:
    (monitor,) = manifests.of("ServiceMonitor")
    services = [
        one
        for one in manifests.of("Service")
        if selects(monitor["spec"]["selector"], one["metadata"]["labels"])
    ]
    jobs = {one["metadata"]["labels"][monitor["spec"]["jobLabel"]] for one in services}

    assert jobs == manifests.workers.keys()
    assert monitor["spec"]["endpoints"][0]["port"] == services[0]["spec"]["ports"][0]["name"]


@pytest.mark.parametrize("manifests", ["overlays/keda"], indirect=True)
def test_keda_scales_our_workers_by_our_queues(manifests: Manifests) -> None:
    scaled = {one["metadata"]["name"]: one["spec"] for one in manifests.of("ScaledObject")}
    deployments = {one["metadata"]["name"]: one["spec"] for one in manifests.of("Deployment")}

    assert scaled.keys() == deployments.keys()
    for name, spec in scaled.items():
        assert spec["scaleTargetRef"] == {"name": name}
        assert spec["minReplicaCount"] >= 2
        assert "replicas" not in deployments[name]
    by_age, by_number = (
        scaled[name]["triggers"][0]["metadata"] for name in ("batcher-worker", "main-worker")
    )
    assert f'task_queue="{BATCHER_TASK_QUEUE}"' in by_age["query"]
    assert by_number["taskQueue"] == MAIN_TASK_QUEUE


@every_folder
def test_workers_have_a_version_only_where_it_is_asked_for(manifests: Manifests) -> None:
    asked_for = manifests.folder == "overlays/versioned"
    for name in ("batcher-worker", "main-worker"):
        named = variables(manifests, manifests.pods[name])
        assert ("BATCHING_DEMO_DEPLOYMENT_NAME" in named) is asked_for
        assert named.get("BATCHING_DEMO_BUILD_ID") == (VERSION if asked_for else None)
