"""Who reaches whom: network policies, selectors, Prometheus and KEDA."""

from typing import Any

import pytest

from batching_demo.contracts.names import BATCHER_TASK_QUEUE, MAIN_TASK_QUEUE
from tests.support.manifests import NAME, Manifests, Pod, every_folder, selects

POSTGRES, TEMPORAL, QUEUE, DNS = 5432, 7233, 6379, 53


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
        "batcher-worker": {DNS, POSTGRES, TEMPORAL},
        "main-worker": {DNS, TEMPORAL},
        "migrate": {DNS, POSTGRES},
        "intake-worker": {DNS, POSTGRES, QUEUE},
    }
    for name, pod in manifests.pods.items():
        assert reach(manifests, pod) == expected[name]


@every_folder
def test_peers_are_found_by_their_labels_and_not_by_ours(manifests: Manifests) -> None:
    assert manifests.peers("to")
    assert all(selects(peer, {"k8s-app": "kube-dns"}) for peer in manifests.peers("to"))
    assert all(selects(peer, {NAME: "prometheus"}) for peer in manifests.peers("from"))


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
            pods[template[NAME]]
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
