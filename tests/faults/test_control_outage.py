"""What an operator asks of a batcher works while Postgres is down, and says so."""

from collections.abc import Sequence

import pytest
from click.testing import Result
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.contracts.operations import BatcherSettings, Update
from batching_demo.core import health
from batching_demo.devstack.ports import find_free_port
from batching_demo.devstack.postgres import PostgresServer
from batching_demo.operator.requests import request
from batching_demo.operator.start import start_batchers
from tests.support.batchers import batcher, expect_error, submit
from tests.support.collecting import collecting, expect_answers
from tests.support.commands import aside
from tests.support.database import expect_rows
from tests.support.postgres import stopped
from tests.support.records import record
from tests.support.services import batcher_service
from tests.support.waiting import in_time

pytestmark = pytest.mark.as_writer

QUICK = BatcherSettings(linger_seconds=0.2)


@pytest.fixture
def temporal_only(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of an operator who can reach Temporal, and no database."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", client.service_client.config.target_host)
    monkeypatch.setenv("TEMPORAL_NAMESPACE", client.namespace)
    monkeypatch.setenv("DATABASE_URL", f"postgresql://nobody@127.0.0.1:{find_free_port()}/none")


async def run(*arguments: str) -> Result:
    return await aside("batcher", *arguments)


def assert_said(result: Result, exit_code: int, words: Sequence[str]) -> None:
    assert result.exit_code == exit_code, result.output
    for word in words:
        assert word in result.output, result.output
    assert "Traceback" not in result.output


@pytest.mark.usefixtures("temporal_only")
async def test_every_command_works_while_postgres_is_down(
    client: Client, mortal_engine: AsyncEngine, spare_postgres: PostgresServer
) -> None:
    await start_batchers(client, 1, QUICK)
    down = "Postgres does not answer as it should"
    async with batcher_service(client, mortal_engine), collecting(client, "one"):
        async with stopped(spare_postgres):
            await submit(client, ("s", [record("a"), record("b")]), requester="one")
            await expect_error(client, down)
            assert_said(await run("status"), 0, [down, "2 records", "open"])
            assert_said(await run("configure", "--linger", "1"), 0, ["linger_seconds 0.2 -> 1"])
            assert_said(await run("pause"), 0, ["batcher-0: paused"])
            assert_said(await run("status"), 0, ["paused for", down])
            assert_said(await run("resume"), 0, ["resumed", "the database fails", down])
            assert_said(await run("flush"), 0, ["flush", "the database fails", down])
            drained = await run("drain", "--timeout", "3")
            assert_said(drained, 1, ["Error: batcher-0: not done after 3 s", "2 records", down])
            assert_said(await run("stop", "--timeout", "2"), 1, ["2 records", down])
            assert_said(await run("resume"), 0, ["it was stopping"])
            assert_said(await run("drain", "--timeout", "1"), 1, ["2 records"])
        assert_said(await run("drain", "--timeout", "60"), 0, ["already drained"])
        await expect_answers(client, "one", {"s": "ww"})
        await expect_rows(mortal_engine, 2)


async def test_a_stop_during_an_outage_ends_after_it(
    client: Client, mortal_engine: AsyncEngine, spare_postgres: PostgresServer
) -> None:
    await start_batchers(client, 1, QUICK)
    async with batcher_service(client, mortal_engine), collecting(client, "one"):
        async with stopped(spare_postgres):
            await submit(client, ("s", [record("a")]), requester="one")
            await expect_error(client, "Postgres")
            await request(client, 0, Update.STOP)
        await expect_answers(client, "one", {"s": "w"})
        await in_time(batcher(client).result())
        await expect_rows(mortal_engine, 1)


async def test_a_flush_tries_a_mended_database_at_once(
    client: Client,
    mortal_engine: AsyncEngine,
    spare_postgres: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The batcher would try again by itself only an hour after its failure."""
    failed = health.Health.failed

    def failed_for_an_hour(
        self: health.Health, message: str, sqlstate: str | None, now: float
    ) -> None:
        failed(self, message, sqlstate, now)
        self.retry_at = now + 3600

    monkeypatch.setattr(health.Health, "failed", failed_for_an_hour)
    await start_batchers(client, 1, QUICK)
    async with batcher_service(client, mortal_engine):
        async with stopped(spare_postgres):
            await submit(client, ("s", [record("a")]))
            await expect_error(client, "Postgres")
        await request(client, 0, Update.FLUSH)
        await expect_rows(mortal_engine, 1)
