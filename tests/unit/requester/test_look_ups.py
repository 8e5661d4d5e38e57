"""Look-ups that many callers share, none of which gets anything older than its call."""

import asyncio

import pytest

from batching_demo.requester.direct.look_ups import LookUps


class Slow:
    """Counts look-ups; each waits until it is let go."""

    def __init__(self) -> None:
        self.begun = 0
        self.go = asyncio.Semaphore(0)

    async def look_up(self) -> int:
        self.begun += 1
        number = self.begun
        await self.go.acquire()
        if number == 3:
            raise OSError("no answer")
        return number


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_those_who_come_while_one_runs_share_the_next() -> None:
    slow = Slow()
    look_ups = LookUps(slow.look_up)
    early = [asyncio.create_task(look_ups.look_up()) for _ in range(2)]
    await settle()
    late = [asyncio.create_task(look_ups.look_up()) for _ in range(2)]
    await settle()
    assert slow.begun == 1
    slow.go.release()
    await settle()
    assert slow.begun == 2
    slow.go.release()
    assert await asyncio.gather(*early, *late) == [1, 1, 2, 2]


async def test_a_caller_that_is_cancelled_and_a_look_up_that_fails_harm_nobody_else() -> None:
    slow = Slow()
    look_ups = LookUps(slow.look_up)
    for _ in range(6):
        slow.go.release()
    cancelled, other = (asyncio.create_task(look_ups.look_up()) for _ in range(2))
    await asyncio.sleep(0)
    cancelled.cancel()
    assert await other == 1
    assert await look_ups.look_up() == 2
    with pytest.raises(OSError, match="no answer"):
        await look_ups.look_up()
    assert await look_ups.look_up() == 4
