"""The version of a worker, for Temporal's Worker Deployment Versioning."""

import logging
import re
from datetime import timedelta

from temporalio.api.deployment.v1 import WorkerDeploymentVersion as VersionMessage
from temporalio.api.workflowservice.v1 import DescribeWorkerDeploymentVersionRequest
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import WorkerDeploymentConfig

Version = WorkerDeploymentVersion | None
"""None is that of all workers that have none."""
LONGEST_BYTES = 480
"""The server makes a workflow id of both texts, and of its own prefix."""
LONGEST_LOOK = timedelta(seconds=5)
VERSION = "TemporalWorkerDeploymentVersion"
"""Search attribute of the server: the version that has last gone on with a workflow."""
IS_PINNED = "TemporalWorkflowVersioningBehavior = 'Pinned'"
_REFUSED = (
    RPCStatusCode.INVALID_ARGUMENT,
    RPCStatusCode.PERMISSION_DENIED,
    RPCStatusCode.UNIMPLEMENTED,
)
_NAME = re.compile(r"(?!__)[A-Za-z0-9_/+@~-]+")
_BUILD_ID = re.compile(r"(?!__)[A-Za-z0-9_/+@~.:-]+")
logger = logging.getLogger(__name__)


def check_version(version: WorkerDeploymentVersion) -> None:
    """Check that the server takes a version, and that commands can name it without quotes.

    Raises:
        ValueError: It does not; the message says what it may consist of.
    """
    allowed = "1 to 480 letters, digits and characters of -_/+@~"
    for what, text, pattern, more in (
        ("name of a deployment", version.deployment_name, _NAME, ""),
        ("build id", version.build_id, _BUILD_ID, ".:"),
    ):
        if not pattern.fullmatch(text) or len(text) > LONGEST_BYTES:
            raise ValueError(f"{text[:100]!r} is no {what}: give {allowed}{more}, not __ at first")


def deployment_config(version: Version) -> WorkerDeploymentConfig | None:
    """Return the configuration of a worker with this version; None for a worker without one.

    Its workflows are pinned: what one version has begun, no other version goes on with. It says so
    here and not on the classes of the workflows, since workers without a version refuse that.

    Raises:
        ValueError: The server does not take the version.
    """
    if version is None:
        return None
    check_version(version)
    return WorkerDeploymentConfig(
        version=version,
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.PINNED,
    )


async def warn_if_refused(client: Client, version: Version) -> None:
    """Log a warning if the server does not take a version: the SDK polls on, and never says so.

    The server may be too old, may have versions turned off, or may allow shorter names only.
    """
    if version is None:
        return
    message = VersionMessage(deployment_name=version.deployment_name, build_id=version.build_id)
    try:
        await client.workflow_service.describe_worker_deployment_version(
            DescribeWorkerDeploymentVersionRequest(
                namespace=client.namespace, deployment_version=message
            ),
            timeout=LONGEST_LOOK,
        )
    except RPCError as error:
        # It is not found before it has polled.
        if error.status in _REFUSED:
            logger.warning(
                "%s may get no tasks, since the server says: %s; without --deployment-name the"
                " worker has no version",
                name_version(version),
                error.message,
            )


def name_version(version: WorkerDeploymentVersion) -> str:
    """Return how a version is named in messages."""
    return f"build {version.build_id} of deployment {version.deployment_name}"


def as_version(version: Version) -> str:
    """Return the end of a sentence about a worker; empty for one without a version."""
    return f" as {name_version(version)}" if version else ""


def version_options(version: WorkerDeploymentVersion) -> str:
    """Return the options that name a version, of our workers and of Temporal's CLI."""
    return f"--deployment-name {version.deployment_name} --build-id {version.build_id}"


def read_version(message: VersionMessage) -> Version:
    """Return a version that the server names; None if it names none."""
    if not message.deployment_name:
        return None
    return WorkerDeploymentVersion(message.deployment_name, message.build_id)


def search_value(version: WorkerDeploymentVersion) -> str:
    """Return a version as `VERSION` has it. `check_version` lets no quotes in."""
    return f"{version.deployment_name}:{version.build_id}"
