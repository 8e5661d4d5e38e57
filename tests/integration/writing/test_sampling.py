"""What a worker sees by looking at its database, and what each write says of it."""

import asyncio
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.batcher_service import sampling as sampling_module
from batching_demo.batcher_service.metrics import (
    DATABASE_UP,
    DEAD_LETTERS,
    FLUSHES,
    POOL_CONNECTIONS,
    WRITE_SECONDS,
)
from batching_demo.batcher_service.sampling import pause_after, sampling, watch_pool
from batching_demo.contracts.batches import BatchHeader
from batching_demo.contracts.names import WritePath
from batching_demo.database.dead_letters.storing import DeadLetter, insert_dead_letters
from batching_demo.database.engine import create_engine
from batching_demo.database.errors import DatabaseFailedError, Failure, FailureKind
from tests.support.metrics import Seen
from tests.support.waiting import eventually

NOWHERE = "postgresql://postgres@127.0.0.1:1/none"


@pytest.fixture
def seen() -> Seen:
    return Seen()


def letter(key: str) -> DeadLetter:
    return DeadLetter(key, "source", 1, "{}", "reason", "detail", None, "requester", "label")


async def test_dead_letters_are_counted_by_state(
    seen: Seen, engine: AsyncEngine, database_url: str
) -> None:
    async with engine.connect() as connection:
        await insert_dead_letters(connection, [letter("a"), letter("b")], uuid4())

    async def all_are_seen() -> None:
        assert seen.values(DEAD_LETTERS, state="open") == [2]
        assert seen.values(DEAD_LETTERS, state="retried") == [0]
        assert seen.values(DEAD_LETTERS, state="discarded") == [0]
        assert seen.values(DATABASE_UP) == [1]

    async with sampling(database_url, seen.metrics):
        await eventually(all_are_seen)


async def test_looking_goes_on_after_an_outage(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling_module, "SAMPLE_SECONDS", 0.05)

    async def is_down_twice() -> None:
        assert seen.values(DATABASE_UP)[:2] == [0, 0]

    async with sampling(NOWHERE, seen.metrics):
        await eventually(is_down_twice)


async def test_a_missing_table_is_no_outage(
    seen: Seen, empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling_module, "SAMPLE_SECONDS", 0.01)
    async with sampling(empty_database_url, seen.metrics):
        await asyncio.sleep(0.5)
    assert seen.values(DATABASE_UP) == []


async def test_connections_are_counted_while_they_are_taken(seen: Seen, database_url: str) -> None:
    engine = create_engine(database_url, application_name="tests", pool_size=2)
    watch_pool(engine, seen.metrics)
    async with engine.connect(), engine.connect():
        assert seen.values(POOL_CONNECTIONS) == [0, 1, 2]
    assert seen.values(POOL_CONNECTIONS) == [0, 1, 2, 1, 0]
    async with engine.connect() as connection:
        await connection.invalidate()
    assert seen.values(POOL_CONNECTIONS)[-1] == 0
    await engine.dispose()


BATCH = BatchHeader("a batch", "age", [], shard=3)


def failed(kind: FailureKind) -> DatabaseFailedError:
    return DatabaseFailedError(Failure(kind, "lost"))


def test_a_missing_table_is_no_outage_to_a_write(seen: Seen) -> None:
    with (
        pytest.raises(DatabaseFailedError),
        seen.metrics.flushed(BATCH, WritePath.BATCHED),
        seen.metrics.measured(3, WritePath.BATCHED, "records"),
    ):
        raise failed(FailureKind.OPERATOR)
    assert seen.values(DATABASE_UP) == []
    assert seen.values(FLUSHES, shard=3, outcome="failed", reason="age") == [1]


def test_each_write_says_how_it_ended(seen: Seen) -> None:
    with (
        pytest.raises(DatabaseFailedError, match="lost"),
        seen.metrics.flushed(BATCH, WritePath.BATCHED),
        seen.metrics.measured(3, WritePath.BATCHED, "records"),
    ):
        raise failed(FailureKind.OUTAGE)
    assert seen.values(DATABASE_UP) == [0]
    with (
        seen.metrics.flushed(BATCH, WritePath.BATCHED),
        seen.metrics.measured(3, WritePath.BATCHED, "records"),
    ):
        pass
    assert seen.values(DATABASE_UP) == [0, 1]
    with (
        pytest.raises(asyncio.CancelledError),
        seen.metrics.flushed(BATCH, WritePath.BATCHED),
        seen.metrics.measured(3, WritePath.BATCHED, "records"),
    ):
        raise asyncio.CancelledError
    assert seen.values(DATABASE_UP) == [0, 1]
    for outcome in ("failed", "written", "cancelled"):
        assert seen.values(FLUSHES, shard=3, outcome=outcome, reason="age") == [1]
        assert len(seen.values(WRITE_SECONDS, shard=3, outcome=outcome, target="records")) == 1


def test_a_long_look_is_followed_by_a_longer_pause() -> None:
    assert pause_after(0.01) == 15
    assert pause_after(3.0) == pytest.approx(60)
