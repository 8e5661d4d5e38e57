"""A short run of scripts/queue_chaos."""

from tools.queue_chaos.run import Plan, run


async def test_a_short_run_loses_and_doubles_nothing() -> None:
    said: list[str] = []
    plan = Plan(messages=1_000, kills=2, seconds=3.0, consumers=1, seed=1, claim_after_seconds=1.0)
    result = await run(plan, said.append)
    assert result.killed == {"consumer": 1, "server": 1}, said
    # Twice with others, and twice alone, unless a kill came before one of these deaths.
    assert 2 <= result.deaths <= 4
    assert result.problems == []
