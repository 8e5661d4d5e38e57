"""Run all checks."""

import asyncio
from collections.abc import Sequence

from batching_demo.contracts.targets import TargetDeclaration
from batching_demo.doctor.check import Check
from batching_demo.doctor.identity import check_identity
from batching_demo.doctor.machine import check_machine
from batching_demo.doctor.postgres.checks import check_postgres
from batching_demo.doctor.temporal import check_temporal
from batching_demo.settings import Settings


async def examine(settings: Settings, targets: Sequence[TargetDeclaration] = ()) -> list[Check]:
    """Check everything that the services need, both servers at the same time."""
    temporal, postgres, identity = await asyncio.gather(
        check_temporal(settings), check_postgres(settings, targets), check_identity(settings)
    )
    return [*check_machine(settings.known_state_directory), *postgres, *temporal, identity]
