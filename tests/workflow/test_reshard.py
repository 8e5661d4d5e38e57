"""The number of batchers changes while records wait, by the command itself."""

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.cli.app import app
from batching_demo.contracts.operations import BatcherSettings, Update
from batching_demo.operator.requests import request
from batching_demo.operator.shards import describe, running_shards
from batching_demo.operator.start import start_batchers
from tests.support.batchers import status, submit
from tests.support.database import expect_rows, fetch, locked_table, scalar
from tests.support.loading import load, write_ndjson
from tests.support.records import record
from tests.support.services import batcher_service, both_services
from tests.support.waiting import eventually, in_time

pytestmark = pytest.mark.as_writer

QUICK = BatcherSettings(max_records=20, linger_seconds=0.5)


@pytest.fixture(autouse=True)
def environment(servers: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in servers.items():
        monkeypatch.setenv(name, value)


async def reshard(*arguments: str) -> Result:
    command = ["batcher", "reshard", *arguments]
    return await asyncio.to_thread(CliRunner().invoke, app, command)


async def test_one_to_four_to_two_under_load_loses_and_doubles_nothing(
    client: Client, engine: AsyncEngine, tmp_path: Path
) -> None:
    """Main workflows for one, three and four shards are under way all the time.

    They are few at a time and wait for each other's batches, so that they last.
    """
    patient = BatcherSettings(max_records=20, linger_seconds=1)
    await start_batchers(client, 1, patient)
    paths = [
        write_ndjson(
            tmp_path / f"{shards}.ndjson",
            ({"id": f"{shards}-{n}" if n % 5 else f"shared-{n}"} for n in range(60)),
        )
        for shards in (1, 3, 4)
    ]
    async with both_services(client, engine):
        loading = [
            asyncio.create_task(load(client, path, shards=int(path.stem), max_open=6))
            for path in paths
        ]
        await expect_rows_at_least(engine, 25)
        up = await reshard("4")
        assert up.exit_code == 0, up.output
        assert up.stdout.splitlines() == [
            "batcher-0: runs already",
            *(f"batcher-{shard}: started" for shard in (1, 2, 3)),
            "main workflows started from now on submit to 4 batchers",
        ]
        assert (await describe(client, 3)).settings == patient
        await expect_rows_at_least(engine, 90)
        down = await reshard("2")
        assert down.exit_code == 0, down.output
        assert "batcher-3: ended: every accepted record has its verdict" in down.stdout
        assert await running_shards(client) == [0, 1]
        assert any(not one.done() for one in loading)
        summaries = await in_time(asyncio.gather(*loading))
    assert sum(summary.written for summary in summaries) == 3 * 48 + 12
    assert sum(summary.duplicate for summary in summaries) == 2 * 12
    assert [summary.pending for summary in summaries] == [0, 0, 0]
    assert await scalar(engine, "SELECT count(*) FROM records") == 3 * 48 + 12
    used = await fetch(engine, "SELECT DISTINCT shard FROM records ORDER BY 1")
    assert used == [(0,), (1,), (2,), (3,)]


async def expect_rows_at_least(engine: AsyncEngine, number: int) -> None:
    while int(str(await scalar(engine, "SELECT count(*) FROM records"))) < number:
        await asyncio.sleep(0.05)


async def test_records_that_wait_in_a_closing_shard_are_written(
    client: Client, engine: AsyncEngine, tmp_path: Path
) -> None:
    await start_batchers(client, 3, BatcherSettings(linger_seconds=600))
    path = write_ndjson(tmp_path / "in.ndjson", ({"id": n} for n in range(30)))
    async with both_services(client, engine):
        loading = asyncio.create_task(load(client, path, shards=3))

        async def all_wait() -> None:
            waiting = [(await status(client, shard)).buffered_records for shard in range(3)]
            assert sum(waiting) == 30

        await eventually(all_wait)
        result = await reshard("1")
        assert result.exit_code == 0, result.output
        left = (await status(client)).buffered_records
        assert 0 < left < 30
        await expect_rows(engine, 30 - left)
        await request(client, 0, Update.FLUSH)
        assert (await in_time(loading)).written == 30


async def test_again_it_changes_nothing_and_a_gap_is_filled(
    client: Client, engine: AsyncEngine
) -> None:
    await start_batchers(client, 3, QUICK)
    async with batcher_service(client, engine):
        assert (await reshard("3")).stdout.count("runs already") == 3
        await request(client, 1, Update.STOP)
        while await running_shards(client) != [0, 2]:
            await asyncio.sleep(0.1)
        filled = await reshard("3")
        assert "batcher-1: started" in filled.stdout
        assert await running_shards(client) == [0, 1, 2]


async def test_a_shard_that_was_ending_goes_on(client: Client, engine: AsyncEngine) -> None:
    await start_batchers(client, 2, QUICK)
    async with batcher_service(client, engine), locked_table(engine):
        await wait_in(client, 1)
        await request(client, 1, Update.STOP)
        result = await reshard("2")
        assert "batcher-1: resumed: it was stopping" in result.stdout
        assert (await status(client, 1)).mode == "open"


async def wait_in(client: Client, shard: int) -> None:
    """Have a record wait in a shard."""
    await submit(client, ("s", [record("a")]), shard=shard)
    while (await status(client, shard)).open_records == 0:
        await asyncio.sleep(0.05)


async def test_without_shard_0_it_refuses(client: Client) -> None:
    result = await reshard("2")
    assert result.exit_code == 1
    assert "Error: batcher-0 does not run: start it with" in result.stderr
    assert await running_shards(client) == []


async def test_a_shard_that_cannot_finish_is_named(client: Client, engine: AsyncEngine) -> None:
    await start_batchers(client, 2, QUICK)
    async with batcher_service(client, engine), locked_table(engine):
        await wait_in(client, 1)
        result = await reshard("1", "--timeout", "1")
        assert result.exit_code == 1
        assert "batcher-0: runs already" in result.stdout
        assert "batcher-1: not done after 1 s: no verdict yet for 1 record" in result.stderr
