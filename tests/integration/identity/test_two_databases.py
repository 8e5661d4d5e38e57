"""A namespace is for one database: another one is refused, and found by the doctor."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.batcher_service.identity import guard
from batching_demo.batcher_service.worker import build_worker
from batching_demo.contracts.errors import UserError
from batching_demo.contracts.identity import name_worker
from batching_demo.contracts.names import WritePath
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.contracts.retries import RetryInput
from batching_demo.database.engine import create_engine
from batching_demo.database.identity import read_identity, renew_identity
from batching_demo.operator.identity import ask_identity
from batching_demo.operator.retries import RetryFailedError, RetryRequest, retry_dead_letter
from batching_demo.operator.start import start_batchers
from batching_demo.temporal.namespace_database import claim, move
from tests.support.batchers import expect_error
from tests.support.commands import aside, assert_one_line
from tests.support.database import execute, rows
from tests.support.loading import load, write_ndjson
from tests.support.paths import WITHOUT_QUEUE
from tests.support.processes import start_process
from tests.support.services import batcher_service, both_services, main_service
from tests.support.waiting import eventually, in_time

QUICK = BatcherSettings(linger_seconds=0.2)
DOCUMENTS = [{"id": number} for number in range(20)]


async def expect_failing_activity(client: Client, words: str) -> None:
    """Wait until an activity of a main workflow has failed, and is to be tried again."""

    async def check() -> None:
        listed = client.list_workflows("WorkflowType = 'MainWorkflow'")
        found = [await client.get_workflow_handle(one.id).describe() async for one in listed]
        pending = [one for all_ in found for one in all_.raw_description.pending_activities]
        assert any(words in one.last_failure.message for one in pending)

    await eventually(check)


class TestTwoDatabases:
    """In one namespace, with one task queue."""

    async def test_the_second_worker_does_not_start(
        self, client: Client, engine: AsyncEngine, other_engine: AsyncEngine
    ) -> None:
        identities = [await read_identity(one) for one in (engine, other_engine)]
        await claim(client, identities[0])
        with pytest.raises(UserError, match=r"TEMPORAL_NAMESPACE.*db adopt") as refusal:
            async with build_worker(client, other_engine, 1):
                await in_time(asyncio.Event().wait())
        assert all(identity in str(refusal.value) for identity in identities)

    async def test_its_command_ends_with_one_line(
        self, client: Client, engine: AsyncEngine, servers: dict[str, str]
    ) -> None:
        await claim(client, "another")
        process = await start_process(servers, "-m", "batching_demo", "batcher", "worker")
        output, _ = await in_time(process.communicate())
        *informed, line = output.decode().splitlines()
        assert process.returncode == 1
        assert all(" INFO " in one and "polls" not in one for one in informed)
        assert line.startswith(f"Error: namespace {client.namespace} is for database another")
        assert str(make_url(servers["DATABASE_URL"]).database) in line

    async def test_a_url_in_a_file_that_leads_elsewhere_reaches_open_connections(
        self,
        client: Client,
        database_url: str,
        other_engine: AsyncEngine,
        other_url: str,
        tmp_path: Path,
    ) -> None:
        file = tmp_path / "url"
        file.write_text(database_url)
        moving = create_engine(f"file://{file}", application_name="tests")
        guarded = guard.IdentityGuard(moving, client)
        await guarded.look()
        file.write_text(other_url)
        other = await read_identity(other_engine)
        await move(client, other)
        with pytest.raises(guard.OtherDatabaseError):
            await guarded.look()
        assert await guarded.look() == other
        await moving.dispose()

    @pytest.mark.parametrize("path", WITHOUT_QUEUE)
    async def test_a_worker_that_meets_another_one_writes_nothing_until_it_is_adopted(
        self, client: Client, engine: AsyncEngine, tmp_path: Path, path: WritePath
    ) -> None:
        await start_batchers(client, 1, QUICK)
        source = write_ndjson(tmp_path / "orders.ndjson", DOCUMENTS)
        async with batcher_service(client, engine, QUICK), main_service(client):
            new = await renew_identity(engine)
            loading = asyncio.create_task(load(client, source, write_path=path, settings=QUICK))
            with pytest.raises(UserError, match="db adopt"):
                await ask_identity(client)
            refused = f"DATABASE_URL leads to database {new}"
            if path is WritePath.BATCHED:
                await expect_error(client, refused)
            else:
                await expect_failing_activity(client, refused)
            assert await rows(engine) == 0
            await move(client, new)
            summary = await in_time(loading)
        assert (summary.written, await rows(engine)) == (20, 20)

    async def test_a_dead_letter_of_another_database_is_not_retried(
        self, client: Client, engine: AsyncEngine
    ) -> None:
        retry = RetryRequest(RetryInput(1, 2, 0.2, database="another"))
        async with batcher_service(client, engine):
            with pytest.raises(RetryFailedError, match="letter 1 is in database another"):
                await retry_dead_letter(client, retry)

    @pytest.mark.usefixtures("on_servers")
    @pytest.mark.parametrize("command", [("dead-letters", "retry", "1"), ("compare",)])
    async def test_commands_with_another_database_are_refused(
        self,
        client: Client,
        engine: AsyncEngine,
        other_engine: AsyncEngine,
        other_url: str,
        monkeypatch: pytest.MonkeyPatch,
        command: Sequence[str],
    ) -> None:
        monkeypatch.setenv("DATABASE_URL", other_url)
        await execute(
            other_engine,
            "INSERT INTO dead_letters (identity, idempotency_key, source, line, record, truncated,"
            " reason, detail, requester, run_label)"
            " VALUES ('', 'k', 's', 1, '{}', false, 'conflict', '', '', '')",
        )
        async with both_services(client, engine):
            result = await aside(*command)
        assert_one_line(result, 1, "leads to database", "db adopt")


@pytest.mark.usefixtures("on_servers")
class TestDoctor:
    async def examine(self) -> tuple[str, str]:
        checks = json.loads((await aside("doctor", "--json")).stdout)
        (check,) = (one for one in checks if one["name"] == "identity")
        return check["outcome"], check["detail"]

    async def test_the_namespace_is_for_another_database(
        self, client: Client, engine: AsyncEngine
    ) -> None:
        identity = await read_identity(engine)
        none = f"no batcher worker has polled namespace {client.namespace}"
        assert await self.examine() == ("ok", f"{identity}; {none}")
        await claim(client, identity)
        assert await self.examine() == ("ok", f"{identity}, as namespace {client.namespace} has it")
        await move(client, "another")
        outcome, detail = await self.examine()
        assert outcome == "problem"
        assert detail.startswith(f"namespace {client.namespace} is for database another")

    async def test_a_worker_of_another_database_polls(
        self, client: Client, engine: AsyncEngine
    ) -> None:
        identity = await read_identity(engine)
        named = name_worker("9@host", str(UUID(int=7)))

        async def is_named() -> None:
            outcome, detail = await self.examine()
            assert outcome == "problem"
            assert f"batcher worker {named} polls batcher-queue" in detail
            assert f"this database is {identity}: stop that worker" in detail

        async with build_worker(client, engine, 1, identity=named):
            await eventually(is_named)
