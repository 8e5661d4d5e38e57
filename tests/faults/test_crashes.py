"""S02 and S10: a worker that dies, or is told to stop, while it writes."""

import asyncio
import signal

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.contracts.operations import BatcherSettings
from batching_demo.devstack.ports import find_free_port
from batching_demo.operator.start import start_batchers
from tests.support.batchers import status, submit
from tests.support.collecting import collecting, expect_answers
from tests.support.database import expect_rows, expect_waiting_writes, locked_table, rows
from tests.support.processes import line_with, start_process
from tests.support.records import record
from tests.support.scraping import METRICS_BIND, probe
from tests.support.services import batcher_service
from tests.support.waiting import eventually

QUICK = BatcherSettings(linger_seconds=0.2)
STALLED_WORKER = ("-m", "tests.support.stalled_worker")
WORKER = ("-m", "batching_demo", "batcher", "worker")


@pytest.mark.parametrize("moment", ["before", pytest.param("after", marks=pytest.mark.slow)])
async def test_a_worker_killed_after_its_commit_changes_no_verdict(
    client: Client, engine: AsyncEngine, servers: dict[str, str], moment: str
) -> None:
    """S02: before the verdicts were sent, and after that but before the activity completed."""
    await start_batchers(client, 1, QUICK)
    doomed = await start_process(servers, *STALLED_WORKER, moment)
    async with collecting(client, "one"):
        await submit(client, ("s", [record("a"), record("b"), record("a")]), requester="one")
        await line_with(doomed, "stalled")
        assert await rows(engine) == 2
        doomed.kill()
        await doomed.wait()
        async with batcher_service(client, engine):
            await expect_answers(client, "one", {"s": "wwd"})

            async def settled() -> None:
                found = await status(client)
                assert found.totals.verdicts == {
                    "written": 2,
                    "duplicate": 1,
                    "conflict": 0,
                    "rejected": 0,
                }

            await eventually(settled)
    assert await rows(engine) == 2


async def test_a_worker_told_to_stop_finishes_its_write(
    client: Client, engine: AsyncEngine, servers: dict[str, str]
) -> None:
    """S10: the write waits for a lock while the worker is told to stop, and is not ready."""
    await start_batchers(client, 1, QUICK)
    address = f"127.0.0.1:{find_free_port()}"
    stopping = await start_process({**servers, METRICS_BIND: address}, *WORKER)
    async with collecting(client, "one"):
        async with locked_table(engine):
            await submit(client, ("s", [record("a")]), requester="one")
            await expect_waiting_writes(engine, 1)
            stopping.send_signal(signal.SIGTERM)
            await line_with(stopping, "finishing what is running")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(stopping.wait(), 1)
            await expect_waiting_writes(engine, 1)
            assert await probe(address, "/readyz") == (503, "the worker stops\n")
            assert await probe(address, "/healthz") == (200, "ok\n")
        output, _ = await stopping.communicate()
        assert (stopping.returncode, await rows(engine)) == (0, 1), output.decode()
        await expect_answers(client, "one", {"s": "w"})
        async with batcher_service(client, engine):
            # Finished means that nobody has to do it again.
            assert (await status(client)).totals.batches == {"age": 1}


async def test_a_worker_told_twice_leaves_at_once(
    client: Client, engine: AsyncEngine, servers: dict[str, str]
) -> None:
    """S10: what it was writing is written by whoever comes next."""
    await start_batchers(client, 1, QUICK)
    stopping = await start_process(servers, *WORKER)
    async with collecting(client, "one"):
        async with locked_table(engine):
            await submit(client, ("s", [record("a")]), requester="one")
            await expect_waiting_writes(engine, 1)
            stopping.send_signal(signal.SIGTERM)
            await line_with(stopping, "finishing what is running")
            stopping.send_signal(signal.SIGTERM)
            await stopping.communicate()
            assert (stopping.returncode, await rows(engine)) == (130, 0)
        async with batcher_service(client, engine):
            await expect_answers(client, "one", {"s": "w"})
            await expect_rows(engine, 1)
