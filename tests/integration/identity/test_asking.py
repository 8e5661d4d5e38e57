"""A starter learns the identity of the database from a batcher worker."""

import asyncio

import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.cli.main import start as main_start
from batching_demo.cli.submitting import running_batchers
from batching_demo.contracts.identity import DATABASE_WORKFLOW_ID
from batching_demo.database.engine import create_engine
from batching_demo.database.identity import read_identity
from batching_demo.database.schema.migrations import migrate
from batching_demo.operator.identity import ask_identity
from batching_demo.temporal.namespace_database import find_database
from tests.support.commands import aside, assert_one_line
from tests.support.database import execute_at, server_of
from tests.support.services import batcher_service
from tests.support.waiting import eventually, in_time


class TestAsking:
    """A starter learns the identity from a batcher worker."""

    async def test_a_database_that_is_away_is_still_that_of_the_namespace(
        self, client: Client, engine: AsyncEngine, database_url: str
    ) -> None:
        name = make_url(database_url).database
        async with batcher_service(client, engine):
            identity = await read_identity(engine)
            await execute_at(
                server_of(database_url),
                f"ALTER DATABASE {name} ALLOW_CONNECTIONS false",
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
            )
            assert await ask_identity(client) == identity

    async def test_a_schema_that_comes_late(self, client: Client, empty_database_url: str) -> None:
        late = create_engine(empty_database_url, application_name="tests")
        async with batcher_service(client, late):
            asking = asyncio.create_task(ask_identity(client))
            await migrate(empty_database_url, application_name="tests")
            assert await in_time(asking) == await read_identity(late)
        await late.dispose()

    @pytest.mark.usefixtures("on_servers")
    async def test_nobody_answers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(running_batchers, "QUIET_SECONDS", 0.1)
        monkeypatch.setattr(main_start, "LONGEST_NO_WAIT_SECONDS", 0.5)
        result = await aside("main", "start", "--no-wait")
        assert_one_line(result, 1, "no batcher worker answered", "batching-demo batcher worker")
        assert "waiting for a batcher worker" in result.stderr

    async def test_a_long_history_is_continued_with_its_memo(
        self, client: Client, engine: AsyncEngine
    ) -> None:
        handle = client.get_workflow_handle(DATABASE_WORKFLOW_ID)

        async def is_continued() -> None:
            for _ in range(10):
                await ask_identity(client)
            assert (await handle.describe()).run_id != first

        async with batcher_service(client, engine):
            first = (await handle.describe()).run_id
            await eventually(is_continued)
            assert await find_database(client) == await read_identity(engine)
