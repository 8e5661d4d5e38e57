"""What must hold of every pod, whatever the schemas allow."""

import click

from batching_demo.cli.app import app
from batching_demo.temporal.running import GRACEFUL_SHUTDOWN
from tests.support.commands import tree
from tests.support.manifests import VERSION, Manifests, every_folder

COMMANDS = {path for path, one in tree(app) if not isinstance(one, click.Group)}


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
        assert manifests.environment(pod)["BATCHING_DEMO_METRICS_BIND"] == "0.0.0.0:9464"
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
