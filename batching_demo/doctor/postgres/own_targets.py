"""Whether the declared targets can work."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from batching_demo.contracts.targets import TargetDeclaration
from batching_demo.database.targets.check import check_targets
from batching_demo.doctor.check import Check, ok, problem

TARGETS = "targets"


async def check_own_targets(
    connection: AsyncConnection, declarations: Sequence[TargetDeclaration]
) -> Check:
    """Look at the tables of all targets. The first problem counts; `targets check` has all."""
    if not declarations:
        return ok(TARGETS, "none is declared: records go to the table records")
    checked = await check_targets(connection, declarations)
    for one in checked:
        if one.problems:
            more = "; `batching-demo targets check` says more" if len(one.problems) > 1 else ""
            return problem(TARGETS, f"{one.declaration.name}: {one.problems[0]}{more}")
    warned = [f"{one.declaration.name}: {words}" for one in checked for words in one.warnings]
    return ok(TARGETS, "; ".join([", ".join(one.declaration.name for one in checked), *warned]))
