"""Have commits wait for a standby that is not there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.database import execute, fetch, scalar
from tests.support.waiting import eventually

WAITING = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@asynccontextmanager
async def missing_standby(engine: AsyncEngine) -> AsyncIterator[None]:
    """Have every commit of a server wait, until the end."""
    await _set_standbys(engine, "nobody")
    try:
        yield
    finally:
        await _set_standbys(engine, "")


async def _set_standbys(engine: AsyncEngine, names: str) -> None:
    setting = f"ALTER SYSTEM SET synchronous_standby_names = '{names}'"
    await execute(engine, setting, "SELECT pg_reload_conf()")

    async def check() -> None:
        assert await scalar(engine, "SHOW synchronous_standby_names") == names

    await eventually(check)


async def expect_waiting_commits(engine: AsyncEngine, number: int) -> None:
    """Wait until so many commits wait for the standby."""

    async def check() -> None:
        assert await scalar(engine, f"SELECT count(*) {WAITING}") == number

    await eventually(check)


async def cancel_waits(engine: AsyncEngine) -> int:
    """Cancel the waits of commits at the server, and return how many there were."""
    return len(await fetch(engine, f"SELECT pg_cancel_backend(pid) {WAITING}"))
