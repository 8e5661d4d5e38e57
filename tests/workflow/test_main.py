"""Main workflows from a file to rows, on a real Temporal server and a real Postgres."""

import asyncio
import re
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.service import RPCError

from batching_demo.contracts.names import WritePath, batcher_workflow_id
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.main_service.files.inspect import inspect
from batching_demo.main_service.files.slice import work_of
from batching_demo.main_service.messages import RunOptions
from batching_demo.main_service.samples import FLIGHTS_KEY, flights
from batching_demo.main_service.starter import Starter
from batching_demo.main_service.summary import Summary
from batching_demo.operator.start import start_batchers
from tests.support.database import fetch, scalar
from tests.support.loading import load
from tests.support.services import batcher_service, both_services, main_service
from tests.support.waiting import eventually, in_time

QUICK = BatcherSettings(linger_seconds=0.3)


async def load_flights(client: Client, records: int, **options: object) -> Summary:
    return await load(client, flights(), FLIGHTS_KEY, records, **options)  # type: ignore[arg-type]  # of any field


async def test_flights_arrive_whole(client: Client, engine: AsyncEngine) -> None:
    await start_batchers(client, 1, QUICK)
    async with both_services(client, engine):
        summary = await load_flights(client, 20)
    assert (summary.read, summary.written, summary.workflows) == (20, 20, 20)
    found = await fetch(
        engine,
        "SELECT idempotency_key, source, line, payload->>'tailnum', write_path FROM records"
        " ORDER BY line LIMIT 1",
    )
    key, *rest = found[0]
    assert str(key).startswith("2013-01-01T10:00:00Z")
    assert rest == ["flights.csv", 2, "N14228", "batched"]


async def test_a_second_run_starts_nothing_and_again_finds_duplicates(
    client: Client, engine: AsyncEngine
) -> None:
    await start_batchers(client, 1, QUICK)
    async with both_services(client, engine):
        assert (await load_flights(client, 5)).written == 5
        second = await load_flights(client, 7)
        assert (second.already_done, second.written, second.started) == (5, 2, 2)
        again = await load_flights(client, 7, run_label="again")
        assert (again.duplicate, again.written) == (7, 0)
        resumed = await load_flights(client, 7, run_label="again")
        assert resumed.already_done == 7
    assert await scalar(engine, "SELECT count(*) FROM records") == 7


async def test_unbatched_is_a_batch_of_one_each(client: Client, engine: AsyncEngine) -> None:
    async with both_services(client, engine):
        summary = await load_flights(client, 10, write_path=WritePath.UNBATCHED)
    assert summary.written == 10
    counted = await fetch(engine, "SELECT write_path, rows, batches FROM write_counts")
    assert counted == [("unbatched", 10, 10)]


async def test_slices_share_batches_and_shards_share_slices(
    client: Client, engine: AsyncEngine
) -> None:
    await start_batchers(client, 3, BatcherSettings(linger_seconds=1, max_records=50))
    async with both_services(client, engine):
        summary = await load_flights(
            client,
            430,
            records_per_workflow=100,
            settings=BatcherSettings(max_records=50),
            shards=3,
        )
    assert (summary.written, summary.workflows) == (430, 5)
    sizes = await fetch(
        engine,
        "SELECT max(n) <= 50, sum(n) FROM (SELECT count(*) n FROM records GROUP BY batch_id) t",
    )
    assert sizes == [(True, 430)]
    assert await fetch(engine, "SELECT DISTINCT shard FROM records ORDER BY 1") == [
        (0,),
        (1,),
        (2,),
    ]


async def test_without_a_batcher_it_waits_and_says_so(client: Client, engine: AsyncEngine) -> None:
    async with both_services(client, engine):
        waiting = asyncio.create_task(load_flights(client, 2))

        async def check() -> None:
            async for main in client.list_workflows("WorkflowType = 'MainWorkflow'"):
                details = await client.get_workflow_handle(main.id).query(
                    "__temporal_workflow_metadata"
                )
                assert "batching-demo batcher start" in str(details)
                return
            raise AssertionError("no main workflow is visible yet")

        await eventually(check)
        await start_batchers(client, 1, QUICK)
        assert (await in_time(waiting)).written == 2


async def test_a_closed_requester_costs_the_others_nothing(
    client: Client, engine: AsyncEngine
) -> None:
    await start_batchers(client, 1, BatcherSettings(linger_seconds=3))
    async with both_services(client, engine):
        waiting = asyncio.create_task(load_flights(client, 10))

        async def submitted() -> list[str]:
            handle = client.get_workflow_handle(batcher_workflow_id(0))
            status = await handle.query("status")
            assert status["buffered_records"] == 10
            return [main.id async for main in client.list_workflows("WorkflowType='MainWorkflow'")]

        ids = await eventually(submitted)
        await client.get_workflow_handle(ids[0]).terminate()
        await client.get_workflow_handle(ids[1]).cancel()
        summary = await waiting
    assert (summary.written, len(summary.failures)) == (8, 2)
    assert await scalar(engine, "SELECT count(*) FROM records") == 10


async def test_a_file_that_has_changed_fails_and_says_so(
    client: Client, engine: AsyncEngine, tmp_path: Path
) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("id,item\n1,apple\n2,pear\n")
    source = inspect(path, format=None, delimiter=",", key_columns=["id"]).source
    planned = list(work_of(source, 1))
    path.write_text("id,item\n1,apple\n2,plum\n")
    await start_batchers(client, 1, QUICK)
    async with both_services(client, engine):
        summary = await Starter(client, RunOptions(key_columns=["id"])).run(planned)
    assert (summary.written, summary.pending) == (1, 1)
    (failure,) = summary.failures
    assert re.search(
        rf"worker \d+@\S+ cannot read its input: {path}, line 3: changed since .*; start again",
        failure,
    )


async def test_conflicts_and_rejects_are_counted(
    client: Client, engine: AsyncEngine, tmp_path: Path
) -> None:
    path = tmp_path / "mixed.ndjson"
    path.write_text('{"id": 1}\n{"id": 1, "x": 2}\n{"id": 1}\nnonsense\n{"id": null}\n{"id": 2}\n')
    await start_batchers(client, 1, QUICK)
    async with both_services(client, engine):
        summary = await load(client, path, ["id"], records_per_workflow=10)
    assert summary.read == 6
    assert (summary.written, summary.duplicate) == (2, 1)
    assert (summary.conflict, summary.rejected) == (1, 2)


async def test_the_main_service_works_while_the_batcher_worker_is_away(
    client: Client, engine: AsyncEngine
) -> None:
    await start_batchers(client, 1, QUICK)
    async with main_service(client):
        waiting = asyncio.create_task(load_flights(client, 5))

        async def started() -> None:
            found = [main.id async for main in client.list_workflows("WorkflowType='MainWorkflow'")]
            assert len(found) == 5

        await eventually(started)
        async with batcher_service(client, engine):
            assert (await waiting).written == 5


async def test_a_start_that_fails_ends_the_run_and_does_not_wait_for_its_turn(
    client: Client,
) -> None:
    unknown = await Client.connect(
        client.service_client.config.target_host, namespace="no-such-namespace"
    )
    with pytest.raises(RPCError, match="amespace"):
        await in_time(load_flights(unknown, 20, max_open=1))
