"""Whether the declared targets can work."""

from collections.abc import Sequence

from batching_demo.contracts.targets import TargetDeclaration
from batching_demo.database.opening import open_database
from batching_demo.database.targets.check import CheckedTarget, check_targets
from batching_demo.doctor.check import Check, ok, problem
from batching_demo.settings import Settings

TARGETS = "targets"


async def check_own_targets(settings: Settings, declarations: Sequence[TargetDeclaration]) -> Check:
    """Look at the tables of all targets. The first problem counts; `targets check` has all."""
    if not declarations:
        return ok(TARGETS, "none is declared: records go to the table records")
    checked = await _check(settings, declarations)
    for one in checked:
        if one.problems:
            more = "; `batching-demo targets check` says more" if len(one.problems) > 1 else ""
            return problem(TARGETS, f"{one.declaration.name}: {one.problems[0]}{more}")
    warned = [f"{one.declaration.name}: {words}" for one in checked for words in one.warnings]
    return ok(TARGETS, "; ".join([", ".join(one.declaration.name for one in checked), *warned]))


async def _check(
    settings: Settings, declarations: Sequence[TargetDeclaration]
) -> Sequence[CheckedTarget]:
    """Check all on a connection of its own, which commits every statement by itself."""
    async with (
        open_database(settings, "batching-demo doctor") as engine,
        engine.connect() as connection,
    ):
        return await check_targets(connection, declarations)
