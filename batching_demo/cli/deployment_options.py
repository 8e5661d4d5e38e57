"""The options of workers that say which version they are."""

from dataclasses import dataclass
from importlib.metadata import version

import click
from temporalio.common import WorkerDeploymentVersion

from batching_demo.cli import options
from batching_demo.temporal.deployment import Version, check_version

_name = options.option(
    "--deployment-name",
    variable="DEPLOYMENT_NAME",
    help="Worker Deployment of Temporal that this worker is a version of. [default: none; the"
    " worker has no version]",
)
_build_id = options.option(
    "--build-id",
    variable="BUILD_ID",
    help="Which version, with --deployment-name. [default: the version of batching-demo]",
)


@dataclass(frozen=True)
class DeploymentOptions:
    """What the user says of a worker's version.

    Raises:
        click.UsageError: It is no version.
    """

    deployment_name: str | None
    build_id: str | None

    def __post_init__(self) -> None:
        if self.deployment_name is None and self.build_id is not None:
            raise click.UsageError(
                "--build-id (BATCHING_DEMO_BUILD_ID) is of no use without --deployment-name"
                " (BATCHING_DEMO_DEPLOYMENT_NAME): give both, or neither"
            )
        try:
            if known := self.version:
                check_version(known)
        except ValueError as error:
            raise click.UsageError(str(error)) from None

    @property
    def version(self) -> Version:
        """The version of the worker; None if it has none."""
        if self.deployment_name is None:
            return None
        build_id = version("batching-demo") if self.build_id is None else self.build_id
        return WorkerDeploymentVersion(self.deployment_name, build_id)


deployment = options.as_one("deployment", DeploymentOptions, _name, _build_id)
