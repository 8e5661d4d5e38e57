"""Records of a shard that does not run go to shard 0, and hold up no other shard."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.contracts.names import shard_for
from batching_demo.contracts.operations import BatcherSettings, Update
from batching_demo.operator.requests import request
from batching_demo.operator.start import start_batcher, start_batchers
from batching_demo.requester import until_answered
from tests.support.batchers import batcher, status
from tests.support.database import expect_rows, fetch, locked_table
from tests.support.loading import load, write_ndjson
from tests.support.services import both_services
from tests.support.waiting import eventually, in_time

QUICK = BatcherSettings(linger_seconds=0.2)


def keys_of(shard: int, shards: int, number: int) -> list[str]:
    candidates = (str(candidate) for candidate in range(10_000))
    return [key for key in candidates if shard_for(key, shards) == shard][:number]


async def shards_of_rows(engine: AsyncEngine) -> Counter[object]:
    return Counter(dict(await fetch(engine, "SELECT shard, count(*) FROM records GROUP BY 1")))  # type: ignore[arg-type]  # pairs


async def test_a_missing_shard_is_served_by_shard_0(
    client: Client, engine: AsyncEngine, tmp_path: Path
) -> None:
    await start_batchers(client, 2, QUICK)
    keys = [key for shard in range(4) for key in keys_of(shard, 4, 5)]
    path = write_ndjson(tmp_path / "in.ndjson", ({"id": key} for key in keys))
    async with both_services(client, engine):
        summary = await load(client, path, shards=4, records_per_workflow=20)
    assert summary.written == 20
    assert await shards_of_rows(engine) == {0: 15, 1: 5}


async def test_a_shard_that_waits_holds_up_no_other(
    client: Client, engine: AsyncEngine, tmp_path: Path
) -> None:
    """Shards 0 and 2 do not run: their records wait, those of shard 1 are written meanwhile."""
    await start_batcher(client, 1, QUICK)
    keys = [key for shard in range(3) for key in keys_of(shard, 3, 4)]
    path = write_ndjson(tmp_path / "in.ndjson", ({"id": key} for key in keys))
    async with both_services(client, engine):
        loading = asyncio.create_task(load(client, path, shards=3, records_per_workflow=12))
        await expect_rows(engine, 4)
        assert not loading.done()
        await start_batcher(client, 0, QUICK)
        assert (await in_time(loading)).written == 12
    assert await shards_of_rows(engine) == {1: 4, 0: 8}


async def test_an_answer_lost_by_one_shard_is_asked_for_though_another_is_missing(
    client: Client, engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shard 1 loses what it has; its records are submitted again while shards 0 and 2 are away."""
    monkeypatch.setattr(until_answered, "SHORTEST_ACK_TIMEOUT_SECONDS", 4.0)
    await start_batcher(client, 1, BatcherSettings(linger_seconds=600))
    keys = [*keys_of(1, 3, 2), *keys_of(2, 3, 2)]
    path = write_ndjson(tmp_path / "in.ndjson", ({"id": key} for key in keys))
    async with both_services(client, engine):
        loading = asyncio.create_task(
            load(
                client,
                path,
                shards=3,
                records_per_workflow=4,
                settings=BatcherSettings(linger_seconds=0.2),
            )
        )

        async def buffered() -> None:
            assert (await status(client, 1)).buffered_records == 2

        await eventually(buffered)
        await batcher(client, 1).terminate()
        await start_batcher(client, 1, QUICK)
        await expect_rows(engine, 2)
        assert not loading.done()
        await start_batcher(client, 0, QUICK)
        assert (await in_time(loading)).written == 4


async def test_who_a_draining_shard_turned_away_goes_to_shard_0_once_it_has_ended(
    client: Client, engine: AsyncEngine, tmp_path: Path
) -> None:
    await start_batchers(client, 2, QUICK)
    keys = keys_of(1, 2, 6)
    first = write_ndjson(tmp_path / "a.ndjson", ({"id": key} for key in keys[:2]))
    then = write_ndjson(tmp_path / "b.ndjson", ({"id": key} for key in keys[2:]))
    async with both_services(client, engine):
        async with locked_table(engine):
            early = asyncio.create_task(load(client, first, shards=2, records_per_workflow=2))

            async def taken() -> None:
                assert (await status(client, 1)).open_records == 2

            await eventually(taken)
            await request(client, 1, Update.STOP)
            late = asyncio.create_task(load(client, then, shards=2, records_per_workflow=1))

            async def turned_away() -> None:
                assert (await status(client, 1)).totals.turned_away >= 4

            await eventually(turned_away)
        summaries = await in_time(asyncio.gather(early, late))
    assert [summary.written for summary in summaries] == [2, 4]
    assert await shards_of_rows(engine) == {1: 2, 0: 4}
