"""Versions of workers: what is taken for one, and which of them get tasks."""

import pytest
from temporalio.api.deployment.v1 import WorkerDeploymentVersion as VersionMessage
from temporalio.api.enums.v1 import VersioningBehavior
from temporalio.api.workflow.v1 import VersioningOverride, WorkflowExecutionVersioningInfo
from temporalio.common import WorkerDeploymentVersion

from batching_demo.contracts.names import BATCHER_TASK_QUEUE
from batching_demo.temporal.deployment import Version, check_version
from batching_demo.temporal.executions import read_pinned
from batching_demo.temporal.pollers import Poller, Polling, version_problem
from tests.support.commands import assert_one_line, run

A, B = WorkerDeploymentVersion("shop", "a"), WorkerDeploymentVersion("shop", "b")


@pytest.mark.parametrize(
    ("name", "build_id"), [("shop/main", "1.2.3"), ("s", "sha256:0f"), ("x" * 480, "v1-2+dirty")]
)
def test_versions_that_the_server_takes(name: str, build_id: str) -> None:
    check_version(WorkerDeploymentVersion(name, build_id))


@pytest.mark.parametrize(
    ("name", "build_id", "named"),
    [
        ("shop.main", "1", "'shop.main' is no name of a deployment"),
        ("shop:main", "1", "'shop:main' is no name of a deployment"),
        ("__shop", "1", "not __ at first"),
        ("", "1", "'' is no name of a deployment"),
        ("it's", "1", "no name"),
        ("shop\n", "1", r"'shop\\n' is no name"),
        ("x" * 481, "1", "1 to 480"),
        ("shop", "__1", "'__1' is no build id"),
        ("shop", "a b", "'a b' is no build id"),
    ],
)
def test_other_versions_are_refused(name: str, build_id: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        check_version(WorkerDeploymentVersion(name, build_id))


@pytest.mark.parametrize("service", ["batcher", "main"])
def test_a_worker_refuses_half_a_version(service: str) -> None:
    assert_one_line(run(service, "worker", "--build-id", "1"), 2, "--deployment-name")
    assert_one_line(run(service, "worker", "--deployment-name", "a.b"), 2, "'a.b' is no name")


@pytest.mark.parametrize(
    ("polling", "current", "advice"),
    [
        ([], A, ""),
        ([None], None, ""),
        ([None, A], None, ""),
        ([A, B], B, ""),
        ([A, B], None, "set-current-version --deployment-name shop --build-id b`"),
        ([A], B, "start `batching-demo batcher worker --deployment-name shop --build-id b`"),
        ([None, A], B, "set-current-version --deployment-name shop --unversioned`"),
    ],
)
def test_a_version_that_gets_no_tasks_is_told(
    polling: list[Version], current: Version, advice: str
) -> None:
    pollers = [Poller(str(number), number, one) for number, one in enumerate(polling)]
    problem = version_problem(BATCHER_TASK_QUEUE, Polling(pollers, current))
    assert advice in problem if advice else problem == ""


TO_B = VersionMessage(deployment_name="shop", build_id="b")


@pytest.mark.parametrize(
    ("override", "pinned"),
    [
        (None, A),
        (VersioningOverride(pinned=VersioningOverride.PinnedOverride(version=TO_B)), B),
        (
            VersioningOverride(
                one_time=VersioningOverride.OneTimeOverride(target_deployment_version=TO_B)
            ),
            B,
        ),
        (VersioningOverride(auto_upgrade=True), None),
    ],
)
def test_an_operator_decides_which_version_goes_on(
    override: VersioningOverride | None, pinned: Version
) -> None:
    info = WorkflowExecutionVersioningInfo(
        behavior=VersioningBehavior.VERSIONING_BEHAVIOR_PINNED,
        deployment_version=VersionMessage(deployment_name="shop", build_id="a"),
        versioning_override=override,
    )
    assert read_pinned(info) == pinned
