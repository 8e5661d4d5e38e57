"""From a stream into Postgres, both real, without Temporal."""

import asyncio
import json
from collections.abc import Sequence

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.batcher_service.queues.intake import Intake
from batching_demo.batcher_service.queues.source import Message
from batching_demo.batcher_service.retry.record import RetryRefusedError, record_again
from batching_demo.contracts.batches import BatchHeader
from batching_demo.contracts.messages import Submission, Verdicts
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.contracts.targets import TargetDeclaration
from batching_demo.database.dead_letters.queries import read_dead_letter
from batching_demo.database.errors import DatabaseFailedError, Failure, FailureKind
from batching_demo.database.targets.registry import Targets
from batching_demo.queue_servers.errors import QueueAwayError
from batching_demo.queue_servers.stream_address import StreamAddress
from tests.support.database import (
    execute,
    expect_rows,
    expect_waiting_writes,
    fetch,
    locked_table,
    rows,
)
from tests.support.intake import QUICK, Run, consuming, expect_empty, expect_pending
from tests.support.own_tables import let_write
from tests.support.queues import add, claimable, client_of, deliveries, length
from tests.support.waiting import eventually

pytestmark = pytest.mark.as_writer

LINGERING = BatcherSettings(linger_seconds=3600)


def objects(*numbers: int) -> list[str]:
    return [json.dumps({"n": number}) for number in numbers]


async def dead_letters(engine: AsyncEngine) -> list[tuple[object, ...]]:
    return await fetch(
        engine, "SELECT reason, idempotency_key, source FROM dead_letters ORDER BY 2"
    )


async def test_good_records_become_rows_and_bad_ones_dead_letters(
    engine: AsyncEngine, stream: StreamAddress
) -> None:
    await execute(
        engine, "ALTER TABLE records ADD CONSTRAINT small CHECK ((payload->>'n')::int < 900)"
    )
    good = await add(stream, *objects(*range(250)))
    refused, broken = await add(stream, '{"n": 900}', "no JSON")
    (other,) = await add(stream, "x", field="other")
    async with consuming(engine, stream) as run:
        await expect_empty(stream)
    queue = stream.queue
    assert await dead_letters(engine) == [
        ("refused_by_postgres", f"{queue}/{refused}", queue),
        ("invalid_json", f"{queue}/{broken}", queue),
        ("no_body", f"{queue}/{other}", queue),
    ]
    found = await fetch(
        engine, "SELECT idempotency_key, submission_id, source, write_path FROM records ORDER BY id"
    )
    assert sorted(found) == [
        (identity, identity, queue, "queued")
        for identity in sorted(f"{queue}/{entry}" for entry in good)
    ]
    assert sorted(run.codes) == ["r"] * 3 + ["w"] * 250
    assert max(run.batches) == QUICK.max_records


async def test_the_key_is_a_member_of_the_object(
    engine: AsyncEngine, stream: StreamAddress
) -> None:
    intake = Intake(key_columns=["n"])
    await add(stream, *objects(1, 2, 1), "no JSON", "no JSON")
    async with consuming(engine, stream, intake=intake) as run:
        await expect_empty(stream)
    assert sorted(run.codes) == ["d", "r", "r", "w", "w"]
    # Equal texts without a key are one dead letter: there is nothing to tell them apart.
    assert await dead_letters(engine) == [("invalid_json", None, stream.queue)]


async def test_what_is_delivered_again_after_the_commit_is_written_and_no_second_row(
    engine: AsyncEngine, stream: StreamAddress
) -> None:
    await add(stream, *objects(1, 2))
    async with consuming(engine, stream) as first:

        async def no_ack(messages: Sequence[Message]) -> None:
            raise QueueAwayError("away")

        first.source.ack = no_ack  # type: ignore[method-assign]  # the test is about its failure
        await expect_rows(engine, 2)
    assert set((await deliveries(stream)).values()) == {1}
    async with consuming(engine, stream) as second:
        await expect_empty(stream)
    assert (first.codes, second.codes) == ("ww", "ww")
    assert await rows(engine) == 2
    assert await dead_letters(engine) == []


class ConsumerDiesError(Exception):
    """Stands for the end of the process."""


def deadly(run: Run) -> None:
    """Have a consumer die whenever it writes the message with the number 13."""
    write = run.write

    async def dying(batch: BatchHeader, submissions: Sequence[Submission]) -> list[Verdicts]:
        bodies = [one.records for one in submissions if not one.header.malformed]
        if b'{"n": 13}' in bodies:
            raise ConsumerDiesError
        return await write(batch, submissions)

    run.write = dying


async def test_a_message_that_ends_its_consumers_becomes_a_dead_letter_and_no_other(
    engine: AsyncEngine, stream: StreamAddress
) -> None:
    entries = await add(stream, *objects(*range(20)))
    deaths = 0
    most = 0
    while deaths < 10:
        try:
            async with consuming(engine, stream, BatcherSettings(linger_seconds=0)) as run:
                deadly(run)
                await expect_dead_or_empty(run, stream)
        except ConsumerDiesError:
            deaths += 1
            pending = await deliveries(stream)
            most = max([most, *(pending[one] for one in pending if one != entries[13])])
            await claimable()
        else:
            break
    # Twice with others, and twice alone; the fifth delivery is not written.
    assert deaths == 4
    assert most == 2
    assert await dead_letters(engine) == [
        ("delivered_too_often", f"{stream.queue}/{entries[13]}", stream.queue)
    ]
    assert await rows(engine) == 19


async def expect_dead_or_empty(run: Run, stream: StreamAddress) -> None:
    """Wait until a consumer dies, or has emptied its stream."""

    async def check() -> None:
        assert run.ending.done() or (await length(stream), await deliveries(stream)) == (0, {})

    await eventually(check)


async def test_no_more_is_received_than_the_buffer_has_room_for(
    engine: AsyncEngine, stream: StreamAddress
) -> None:
    settings = BatcherSettings(max_records=3, linger_seconds=3600)
    async with consuming(engine, stream, settings, claim_after_seconds=60) as run:
        await add(stream, *objects(*range(3)))
        await expect_rows(engine, 3)
        async with locked_table(engine):
            await add(stream, *objects(*range(3, 53)))
            await expect_waiting_writes(engine, 2)
            await expect_pending(stream, 9)
            # Nothing follows.
            await asyncio.sleep(0.2)
            await expect_pending(stream, 9)
        await expect_rows(engine, 51)
    assert await rows(engine) == 53
    assert run.batches[:17] == [3] * 17
    await expect_empty(stream)


async def test_a_consumer_that_stops_writes_and_acks_what_it_holds(
    engine: AsyncEngine, stream: StreamAddress
) -> None:
    await add(stream, *objects(1, 2, 3))
    async with consuming(engine, stream, LINGERING, claim_after_seconds=60):
        await expect_pending(stream, 3)
        assert await rows(engine) == 0
    assert await rows(engine) == 3
    assert await deliveries(stream) == {}


async def test_consumers_that_stop_while_the_database_is_away_make_no_message_a_dead_letter(
    engine: AsyncEngine, stream: StreamAddress
) -> None:
    async def failing(batch: BatchHeader, submissions: Sequence[Submission]) -> list[Verdicts]:
        raise DatabaseFailedError(Failure(FailureKind.OUTAGE, "away"))

    await add(stream, *objects(1, 2, 3))
    for _ in range(5):
        async with consuming(engine, stream, LINGERING, claim_after_seconds=60) as run:
            run.write = failing
            await expect_held(run, 3)
    async with consuming(engine, stream, claim_after_seconds=60):
        await expect_empty(stream)
    assert await dead_letters(engine) == []
    assert await rows(engine) == 3


async def expect_held(run: Run, number: int) -> None:
    """Wait until a consumer holds so many messages."""

    async def check() -> None:
        assert len(run.source._held) == number

    await eventually(check)


async def test_a_record_is_written_at_once_without_a_linger(
    engine: AsyncEngine, stream: StreamAddress
) -> None:
    async with consuming(engine, stream, BatcherSettings(linger_seconds=0)) as run:
        for number in range(3):
            await add(stream, *objects(number))
            await expect_rows(engine, number + 1)
    assert run.batches == [1, 1, 1]


async def test_data_that_the_server_has_lost_costs_only_what_was_in_it(
    engine: AsyncEngine, stream: StreamAddress
) -> None:
    await add(stream, *objects(1))
    async with consuming(engine, stream):
        await expect_rows(engine, 1)
        async with client_of(stream) as client:
            # As FLUSHALL does, for this stream only.
            await client.delete(stream.stream)
        await add(stream, *objects(2))
        await expect_rows(engine, 2)


async def test_records_go_to_a_table_of_the_users_own(
    engine: AsyncEngine, stream: StreamAddress
) -> None:
    await execute(engine, "CREATE TABLE orders (n int PRIMARY KEY, name text)")
    declared = TargetDeclaration("orders", "orders", ("n",))
    await let_write(engine, declared)
    targets = Targets([declared])
    await add(stream, '{"n": 1, "name": "a"}', '{"n": 2}', '{"n": 1, "name": "b"}', '{"n": "x"}')
    async with consuming(engine, stream, intake=Intake(target="orders"), targets=targets) as run:
        await expect_empty(stream)
    assert await fetch(engine, "SELECT n, name FROM orders ORDER BY n") == [(1, "a"), (2, None)]
    assert sorted(run.codes) == ["c", "r", "w", "w"]
    assert len(await dead_letters(engine)) == 2


async def test_dead_letters_of_the_intake_can_be_retried(
    engine: AsyncEngine, stream: StreamAddress
) -> None:
    await execute(
        engine, "ALTER TABLE records ADD CONSTRAINT small CHECK ((payload->>'n')::int < 900)"
    )
    refused, broken = await add(stream, '{"n": 900}', "no JSON")
    async with consuming(engine, stream):
        await expect_empty(stream)
    ids = {
        reason: int(str(number))
        for reason, number in await fetch(engine, "SELECT reason, id FROM dead_letters")
    }
    found = await read_dead_letter(engine, ids["refused_by_postgres"])
    assert found
    record = record_again(*found, key=None, edited=None)
    assert (record.key, record.payload) == (f"{stream.queue}/{refused}", '{"n": 900}')
    found = await read_dead_letter(engine, ids["invalid_json"])
    assert found
    with pytest.raises(RetryRefusedError, match="needs --edit"):
        record_again(*found, key=None, edited=None)
    assert record_again(*found, key=None, edited="{}").key == f"{stream.queue}/{broken}"
