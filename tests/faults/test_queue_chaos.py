"""A short run of scripts/queue_chaos."""

from pathlib import Path

from batching_demo.devstack.valkey import ValkeyServer
from tools.queue_chaos.redis_run import Plan, run_on


async def test_a_short_run_loses_and_doubles_nothing(
    database_url: str, valkey: ValkeyServer, tmp_path: Path
) -> None:
    said: list[str] = []
    plan = Plan(messages=1_000, kills=2, seconds=2.0, consumers=1, seed=1, claim_after_seconds=0.5)
    result = await run_on(plan, database_url, valkey, tmp_path, said.append)
    assert result.done == {"consumers killed": 1, "server killed": 1}, said
    # Twice with others, and twice alone, unless a kill came before one of these deaths.
    assert 2 <= result.deaths <= 4
    assert result.problems == []
