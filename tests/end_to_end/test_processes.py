"""All four processes through scripts/, as a person would start them."""

import asyncio
import json
import signal
from contextlib import AsyncExitStack

from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.database import fetch, scalar
from tests.support.processes import finish, run, start, worker
from tests.support.waiting import eventually


async def load(environment: dict[str, str], *arguments: str) -> dict[str, int]:
    code, output = await run(environment, "start_main_workflows.py", "--json", *arguments)
    assert code == 0
    counts: dict[str, int] = json.loads(output)
    return counts


async def test_four_processes_and_a_killed_worker(
    servers: dict[str, str], engine: AsyncEngine
) -> None:
    async with AsyncExitStack() as workers:
        await workers.enter_async_context(worker(servers, "main_worker.py"))
        doomed = await workers.enter_async_context(worker(servers, "batcher_worker.py"))
        code, output = await run(
            servers, "start_batcher.py", "--linger", "1", "--max-records", "10"
        )
        assert (code, output) == (0, "batcher-0: started\n")

        loading = asyncio.create_task(load(servers, "--workflows", "30"))

        async def some_rows() -> None:
            assert int(str(await scalar(engine, "SELECT count(*) FROM records"))) >= 10

        await eventually(some_rows)
        doomed.kill()
        await doomed.wait()
        await workers.enter_async_context(worker(servers, "batcher_worker.py"))
        counts = await loading
        assert (counts["read"], counts["written"], counts["workflows"]) == (30, 30, 30)
        assert await fetch(
            engine, "SELECT count(*), count(DISTINCT idempotency_key) FROM records"
        ) == [(30, 30)]

        second = await load(servers, "--workflows", "30")
        assert (second["already_done"], second["written"]) == (30, 0)
        again = await load(servers, "--workflows", "5", "--again")
        assert (again["duplicate"], again["written"]) == (5, 0)
        assert await scalar(engine, "SELECT count(*) FROM records") == 30


async def test_a_worker_waits_for_temporal_and_says_so(servers: dict[str, str]) -> None:
    nowhere = {**servers, "TEMPORAL_ADDRESS": "127.0.0.1:1"}
    process = await start(nowhere, "main_worker.py")
    assert process.stderr
    server = (await process.stderr.readline()).decode()
    assert "Temporal: 127.0.0.1:1 from TEMPORAL_ADDRESS" in server
    line = (await process.stderr.readline()).decode()
    assert "Temporal does not answer at 127.0.0.1:1" in line
    assert "trying again" in line
    process.send_signal(signal.SIGINT)
    code, _, errors = await finish(process)
    assert (code, "Traceback" in errors) == (130, False)
