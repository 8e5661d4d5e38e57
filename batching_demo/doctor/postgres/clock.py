"""Whether the clocks of the database and of this machine agree."""

import time

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from batching_demo.doctor.check import Check, ok, problem

CLOCK = "clock"
LARGEST_DIFFERENCE_SECONDS = 2.0


async def check_clock(connection: AsyncConnection) -> Check:
    """Compare both clocks; the database's answer counts for the middle of the round trip."""
    before = time.time()
    there = await connection.scalar(text("SELECT extract(epoch FROM clock_timestamp())"))
    difference = float(there or 0) - (before + time.time()) / 2
    if abs(difference) > LARGEST_DIFFERENCE_SECONDS:
        advice = "set both by NTP, or ages and times of records mislead"
        return problem(CLOCK, f"the database's is {difference:+.1f} s off this machine's: {advice}")
    return ok(CLOCK, f"the database's is {difference:+.3f} s off this machine's")
