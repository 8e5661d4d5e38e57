"""A short run of scripts/chaos: every kind of fault that fits, and everything holds."""

from tools.chaos.run import run
from tools.chaos.schedule import plan

SECONDS, RECORDS, SEED = 25.0, 200, 5


async def test_a_short_run_loses_and_doubles_nothing() -> None:
    said: list[str] = []
    result = await run(plan(SEED, SECONDS), SECONDS, RECORDS, SEED, said.append)
    assert len(result.faults) >= 3, said
    assert result.records == RECORDS
    assert [check for check in result.checks if not check.holds] == []
