"""The peak memory of processes."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

import psutil

EVERY_SECONDS = 0.1
MIB = 1024 * 1024


@asynccontextmanager
async def peaks(processes: Mapping[str, psutil.Process]) -> AsyncIterator[dict[str, float]]:
    """Watch the resident memory of processes, and yield their peaks in MiB by name."""
    highest = dict.fromkeys(processes, 0.0)

    async def watch() -> None:
        while True:
            for name, process in processes.items():
                with suppress(psutil.NoSuchProcess):
                    highest[name] = max(highest[name], process.memory_info().rss / MIB)
            await asyncio.sleep(EVERY_SECONDS)

    watching = asyncio.create_task(watch())
    try:
        yield highest
    finally:
        watching.cancel()
