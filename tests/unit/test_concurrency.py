"""Work beside other work, and calls of which only some run at a time."""

import asyncio

from batching_demo.concurrency import in_background, map_some_at_once


async def test_what_runs_in_the_background_has_ended_afterwards() -> None:
    events: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            events.append("closed")

    async with in_background(work()):
        await asyncio.sleep(0)
    assert events == ["closed"]


async def test_results_are_in_order_and_few_calls_run_at_a_time() -> None:
    running: set[int] = set()
    most = 0

    async def call(number: int) -> int:
        nonlocal most
        running.add(number)
        most = max(most, len(running))
        for _ in range(5 - number % 5):
            await asyncio.sleep(0)
        running.remove(number)
        return -number

    assert await map_some_at_once(call, range(10), at_once=3) == [-one for one in range(10)]
    assert most == 3
