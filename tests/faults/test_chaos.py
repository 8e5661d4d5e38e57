"""A short run of scripts/chaos: every kind of fault that fits, on every write path and target."""

from batching_demo.contracts.targets import RECORDS_TARGET
from tools.chaos.__main__ import WRITE_PATHS
from tools.chaos.own_table import OWN_TARGETS
from tools.chaos.run import RunPlan, run
from tools.chaos.schedule import plan

SECONDS, RECORDS, SEED = 25.0, 100, 5
TARGETS = (RECORDS_TARGET, *OWN_TARGETS)


async def test_a_short_run_loses_and_doubles_nothing() -> None:
    said: list[str] = []
    planned = RunPlan(plan(SEED, SECONDS), SECONDS, RECORDS, SEED, WRITE_PATHS, TARGETS)
    result = await run(planned, said.append)
    assert len(planned.faults) >= 3, said
    assert [check for check in result.checks if not check.holds] == []
