"""Postgres neither answers nor closes: every wait has an end, and dead connections cost it once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.batcher_service import sampling as sampling_module
from batching_demo.batcher_service.metrics import DATABASE_UP
from batching_demo.batcher_service.sampling import OpenStatements, sampling
from batching_demo.batcher_service.verdicts import gather
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.database import engine as engine_module
from batching_demo.database.engine import create_engine
from batching_demo.database.errors import DatabaseFailedError
from batching_demo.database.writing.rows import Rows
from batching_demo.database.writing.writes import write_batch, write_unbatched
from batching_demo.operator.start import start_batchers
from batching_demo.settings import POOLERS, Pooler
from tests.support.commands import aside, assert_one_line
from tests.support.database import fetch
from tests.support.loading import load, write_ndjson
from tests.support.metrics import Seen
from tests.support.paths import WITHOUT_QUEUE
from tests.support.records import batch_info, record, submission
from tests.support.services import batcher_service, main_service
from tests.support.silence import Network, forgetful_network
from tests.support.waiting import eventually, in_time

QUICK = BatcherSettings(linger_seconds=0.2)
LIMIT = 2.0
"""Seconds, in place of 35."""
CONNECTIONS = 5


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "COMMAND_TIMEOUT_SECONDS", LIMIT)
    monkeypatch.setattr(sampling_module, "SAMPLE_SECONDS", LIMIT / 4)
    monkeypatch.setattr(sampling_module, "SHARE", 1.0)
    monkeypatch.setattr(sampling_module, "LONGEST_ANSWER_SECONDS", LIMIT / 2)
    monkeypatch.setattr(sampling_module, "LONGEST_STATEMENT_SECONDS", LIMIT / 2)


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
async def network(database_url: str) -> AsyncIterator[Network]:
    async with forgetful_network(database_url) as network:
        yield network


async def open_all(engine: AsyncEngine) -> None:
    """Have the pool open all of its connections."""
    await asyncio.gather(*(fetch(engine, "SELECT pg_sleep(0.05)") for _ in range(CONNECTIONS)))


def rows(key: str) -> Rows:
    return gather([submission(key, [record(key)])]).rows


async def batched(engine: AsyncEngine, rows: Rows) -> object:
    return await write_batch(engine, rows, batch_info())


@pytest.mark.parametrize("pooler", POOLERS)
@pytest.mark.parametrize("write", [batched, write_unbatched])
async def test_dead_connections_cost_one_wait(
    network: Network, write: Callable[[AsyncEngine, Rows], Awaitable[object]], pooler: Pooler
) -> None:
    engine = create_engine(
        network.url, application_name="tests", pool_size=CONNECTIONS, pooler=pooler
    )
    await open_all(engine)
    network.forget()
    with pytest.raises(DatabaseFailedError) as failed:
        await write(engine, rows("a"))
    assert failed.value.is_outage
    # The other connections are dead too, and would fail as slowly.
    for key in ("b", "c", "d", "e"):
        await write(engine, rows(key))
    await engine.dispose()


async def test_silent_connections_are_closed_soon(network: Network) -> None:
    engine = create_engine(network.url, application_name="tests", pool_size=CONNECTIONS)
    await open_all(engine)
    network.forget()
    async with asyncio.timeout(CONNECTIONS * 2):
        await engine.dispose()


async def test_every_path_goes_on(
    client: Client, network: Network, database_url: str, tmp_path: Path, seen: Seen
) -> None:
    """Meanwhile a look through a new connection is not enough to call the database up."""
    files = {
        path: write_ndjson(
            tmp_path / f"{path}.ndjson", ({"id": f"{path}-{number}"} for number in range(20))
        )
        for path in WITHOUT_QUEUE
    }
    engine = create_engine(network.url, application_name="tests", pool_size=CONNECTIONS)
    await start_batchers(client, 1, QUICK)
    watched = sampling(database_url, seen.metrics, writes=OpenStatements(engine))
    async with batcher_service(client, engine, QUICK), main_service(client), watched:
        await open_all(engine)
        network.forget()
        loads = (load(client, file, write_path=path) for path, file in files.items())
        summaries = await in_time(asyncio.gather(*loads))
        assert [summary.written for summary in summaries] == [20, 20, 20]

        async def is_up_again() -> None:
            assert seen.values(DATABASE_UP)[-1] == 1

        assert 0 in seen.values(DATABASE_UP)
        await eventually(is_up_again)
    await engine.dispose()


async def test_a_look_through_a_silent_connection_ends(
    network: Network, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "COMMAND_TIMEOUT_SECONDS", 600.0)

    async def is_up(value: int) -> None:
        assert value in seen.values(DATABASE_UP)

    async with sampling(network.url, seen.metrics):
        await eventually(lambda: is_up(1))
        network.forget()
        await eventually(lambda: is_up(0))


@pytest.mark.parametrize("command", ["doctor", "db upgrade", "dead-letters list"])
async def test_commands_end_with_a_line(
    network: Network, command: str, on_servers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"{network.url}?connect_timeout={LIMIT:g}")
    network.forget(new_ones_too=True)
    result = await in_time(aside(*command.split()))
    if command == "doctor":
        assert "does not answer" in result.stdout
    else:
        assert_one_line(result, 1, "does not answer")
