"""S03, S04 and S16: Postgres is away or not as it should be; records wait, and nothing is lost."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.batcher_service.batcher import run_length
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.core.admission import LARGEST_BUFFER_BYTES
from batching_demo.database.engine import create_engine, create_transactional_engine
from batching_demo.database.schema.migrations import upgrade
from batching_demo.devstack.ports import find_free_port
from batching_demo.devstack.postgres import PostgresServer
from batching_demo.operator.start import start_batchers
from tests.support.batchers import batcher, expect_buffered, expect_error, status, submit
from tests.support.collecting import collecting, expect_answers
from tests.support.database import (
    execute,
    execute_at,
    expect_dead_letters,
    expect_rows,
    expect_waiting_writes,
    locked_table,
    scalar,
)
from tests.support.loading import load, write_ndjson
from tests.support.postgres import TEMPLATE, ChosenPostgres, create_database, stopped
from tests.support.processes import worker
from tests.support.records import record
from tests.support.requesters import Collector
from tests.support.scraping import METRICS_BIND, expect_ready, probe
from tests.support.services import both_services, patchable_batcher_service
from tests.support.waiting import eventually, in_time

QUICK = BatcherSettings(linger_seconds=0.5)
LENGTHS = [5.0, pytest.param(30.0, marks=pytest.mark.slow)]


def numbered(path: Path, numbers: Sequence[int]) -> Path:
    return write_ndjson(path, ({"id": number} for number in numbers))


@pytest.mark.parametrize("seconds", LENGTHS)
async def test_an_outage_loses_and_doubles_nothing(
    client: Client,
    mortal_engine: AsyncEngine,
    spare_postgres: PostgresServer,
    tmp_path: Path,
    seconds: float,
) -> None:
    """S03: 50 records are buffered when Postgres crashes, and 25 more arrive."""
    await start_batchers(client, 1, BatcherSettings(linger_seconds=3))
    async with both_services(client, mortal_engine):
        path = numbered(tmp_path / "a.ndjson", range(50))
        first = asyncio.create_task(load(client, path, records_per_workflow=50))
        await expect_buffered(client, 50)
        async with stopped(spare_postgres):
            second = asyncio.create_task(
                load(client, numbered(tmp_path / "b.ndjson", range(25, 75)))
            )
            await expect_error(client, "Postgres")
            await asyncio.sleep(seconds)
            assert not any(loading.done() for loading in (first, second))
            assert (await status(client)).buffered_bytes <= LARGEST_BUFFER_BYTES
        summaries = await in_time(asyncio.gather(first, second))
        assert sum(summary.written for summary in summaries) == 75
        assert sum(summary.duplicate for summary in summaries) == 25
        await expect_dead_letters(mortal_engine, 0)
        assert (await status(client)).last_error == ""
    assert await scalar(mortal_engine, "SELECT count(*) FROM records") == 75


async def test_a_worker_stays_ready_while_postgres_is_away(
    client: Client, servers: dict[str, str], spare_postgres: ChosenPostgres
) -> None:
    """A new process could not write either, and this one goes on by itself."""
    spare_postgres.start()
    url = await create_database(spare_postgres)
    address = f"127.0.0.1:{find_free_port()}"
    await start_batchers(client, 1, QUICK)
    async with worker({**servers, "DATABASE_URL": url, METRICS_BIND: address}, "batcher_worker.py"):
        await expect_ready(address)
        async with stopped(spare_postgres):
            await submit(client, ("s", [record("a")]))
            await expect_error(client, "Postgres")
            for path in ("/readyz", "/healthz"):
                assert await probe(address, path) == (200, "ok\n")


@pytest.mark.parametrize("seconds", LENGTHS)
async def test_an_outage_over_many_runs_loses_and_doubles_nothing(
    client: Client,
    mortal_engine: AsyncEngine,
    spare_postgres: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
) -> None:
    """S04: the batcher continues as new all the time, before, during and after."""
    monkeypatch.setattr(run_length, "MAX_SIGNALS", 10)
    await start_batchers(client, 1, QUICK)
    first_run = (await batcher(client).describe()).run_id

    async def submit_some(wave: int) -> None:
        for number in range(40):
            name = f"{wave}-{number}"
            await submit(client, (name, [record(name), record("shared")]), requester="one")

    async with collecting(client, "one"), patchable_batcher_service(client, mortal_engine):
        await submit_some(1)
        async with stopped(spare_postgres):
            await submit_some(2)
            await expect_error(client, "Postgres")
            await asyncio.sleep(seconds)
            assert (await batcher(client).describe()).run_id != first_run
        await submit_some(3)
        await expect_rows(mortal_engine, 121)

        async def all_answered() -> Counter[str]:
            codes = await client.get_workflow_handle("one").query(Collector.answers)
            assert len(codes) == 120
            return Counter(codes.values())

        # Two writes are in flight, so any submission may have been the first with the shared key.
        assert await eventually(all_answered) == {"ww": 1, "wd": 119}
        await expect_dead_letters(mortal_engine, 0)


async def test_a_write_left_behind_by_an_old_run_changes_no_verdict(
    client: Client, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S04: past the hard bound a run does not wait for its write; the next repeats it."""
    monkeypatch.setattr(run_length, "HARD_SIGNALS", 10)
    await start_batchers(client, 1, QUICK)
    first_run = (await batcher(client).describe()).run_id
    await execute(
        engine,
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_sleep(3); RETURN NULL; END'",
        "CREATE TRIGGER dawdle AFTER INSERT ON records EXECUTE FUNCTION dawdle()",
    )
    async with collecting(client, "one"), patchable_batcher_service(client, engine):
        await submit(client, ("0", [record("0")]), requester="one")
        await expect_buffered(client, 0)
        for number in range(1, 12):
            await submit(client, (str(number), [record(str(number))]), requester="one")
        await expect_answers(client, "one", {str(number): "w" for number in range(12)})
        assert (await batcher(client).describe()).run_id != first_run
    assert await scalar(engine, "SELECT count(*) FROM records") == 12


async def test_a_write_left_behind_that_fails_is_repeated_by_the_next_run(
    client: Client, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S04: its sessions are ended while they wait, when nobody listens to it any more."""
    monkeypatch.setattr(run_length, "HARD_SIGNALS", 10)
    await start_batchers(client, 1, QUICK)
    first_run = (await batcher(client).describe()).run_id

    async def next_run() -> None:
        assert (await batcher(client).describe()).run_id != first_run

    async with collecting(client, "one"), patchable_batcher_service(client, engine):
        async with locked_table(engine):
            await submit(client, ("0", [record("0")]), requester="one")
            await expect_waiting_writes(engine, 1)
            for number in range(1, 12):
                await submit(client, (str(number), [record(str(number))]), requester="one")
            await eventually(next_run)
            await execute(
                engine,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'",
            )
        await expect_answers(client, "one", {str(number): "w" for number in range(12)})


async def test_records_wait_for_a_schema(
    client: Client, empty_database_url: str, tmp_path: Path
) -> None:
    """S16: not migrated."""

    async def mend() -> None:
        migration = create_transactional_engine(empty_database_url, application_name="tests")
        async with migration.connect() as connection:
            await connection.run_sync(upgrade)
        await migration.dispose()

    await _wait_and_mend(client, empty_database_url, tmp_path, "db upgrade", mend)


@pytest.mark.no_pooler
async def test_records_wait_for_the_right_password(
    client: Client, database_url: str, tmp_path: Path
) -> None:
    """S16: the login is refused until the role has the password that the worker uses."""
    role = f"role_{make_url(database_url).database}"
    await execute_at(
        database_url, f"CREATE ROLE {role} LOGIN PASSWORD 'other' IN ROLE pg_write_all_data"
    )
    await execute_at(database_url, f"GRANT pg_read_all_data TO {role}")
    url = make_url(database_url).set(username=role, password="100%40:sure")

    async def mend() -> None:
        await execute_at(database_url, f"ALTER ROLE {role} PASSWORD '100%40:sure'")

    wrong = url.render_as_string(hide_password=False)
    await _wait_and_mend(client, wrong, tmp_path, "password in DATABASE_URL is wrong", mend)


@pytest.mark.no_pooler
async def test_records_wait_for_a_database(
    client: Client, database_url: str, tmp_path: Path
) -> None:
    """S16: missing."""
    missing = f"missing_{make_url(database_url).database}"

    async def mend() -> None:
        await execute_at(database_url, f"CREATE DATABASE {missing} TEMPLATE {TEMPLATE}")

    url = make_url(database_url).set(database=missing).render_as_string(hide_password=False)
    await _wait_and_mend(client, url, tmp_path, "does not exist: create it", mend)


async def _wait_and_mend(
    client: Client,
    url: str,
    tmp_path: Path,
    advice: str,
    mend: Callable[[], Awaitable[None]],
) -> None:
    """Have records wait until what the advice names has been done."""
    await start_batchers(client, 1, QUICK)
    engine = create_engine(url, application_name="tests")
    async with both_services(client, engine):
        loading = asyncio.create_task(load(client, numbered(tmp_path / "in.ndjson", range(3))))
        found = await expect_error(client, advice)
        assert (found.buffered_records + found.in_flight > 0, found.totals.verdicts) == (True, {})
        assert advice in str(await batcher(client).query("__temporal_workflow_metadata"))
        await mend()
        assert (await in_time(loading)).written == 3
        await expect_dead_letters(engine, 0)
    await engine.dispose()
