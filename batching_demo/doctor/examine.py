"""Run all checks."""

import asyncio
from collections.abc import Sequence

from batching_demo.contracts.targets import TargetDeclaration
from batching_demo.doctor.check import Check
from batching_demo.doctor.encryption import check_encryption
from batching_demo.doctor.identity import check_identity
from batching_demo.doctor.machine import check_machine
from batching_demo.doctor.postgres.checks import check_postgres
from batching_demo.doctor.queue import check_queue
from batching_demo.doctor.temporal import check_temporal
from batching_demo.settings import Settings


async def examine(settings: Settings, targets: Sequence[TargetDeclaration] = ()) -> list[Check]:
    """Check everything that the services need, all servers at the same time."""
    temporal, postgres, identity, queue, encryption = await asyncio.gather(
        check_temporal(settings),
        check_postgres(settings, targets),
        check_identity(settings),
        check_queue(settings),
        check_encryption(settings),
    )
    machine = check_machine(settings.known_state_directory)
    return [*machine, *postgres, *temporal, identity, *queue, *encryption]
