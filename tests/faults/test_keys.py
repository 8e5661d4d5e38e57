"""Keys that change, are missing or are wrong: workflow tasks wait for the right one, no more."""

import asyncio
import logging
import re
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo import BatchingClient, Record
from batching_demo.contracts.identity import DATABASE_WORKFLOW_ID
from batching_demo.contracts.operations import BatcherSettings, Update
from batching_demo.contracts.payloads import ENCRYPTION_KEYS, UndecodableError
from batching_demo.operator import requests as operator
from batching_demo.operator.requests import request
from batching_demo.operator.start import start_batchers
from tests.support.batchers import status, submit
from tests.support.commands import aside, assert_one_line
from tests.support.database import rows
from tests.support.encryption import KEY_A, KEY_B, WRONG_A, failed_tasks, keyed
from tests.support.loading import load, write_ndjson
from tests.support.records import record
from tests.support.services import both_services, main_service, patchable_batcher_service
from tests.support.waiting import eventually, in_time

QUICK = BatcherSettings(linger_seconds=0.1)
ROTATION = ("", f"none,{KEY_A}", KEY_A, f"{KEY_A},{KEY_B}", f"{KEY_B},{KEY_A}")
"""From no keys to another key, as docs/encryption.md says."""


async def test_keys_come_and_change_under_load(
    client: Client, engine: AsyncEngine, tmp_path: Path
) -> None:
    path = write_ndjson(tmp_path / "x.ndjson", ({"id": number} for number in range(4)))
    running = AsyncExitStack()
    await running.enter_async_context(both_services(client, engine))
    await start_batchers(client, 1, QUICK)
    loads: list[asyncio.Task[None]] = []
    for keys in ROTATION[1:]:
        loads.append(asyncio.create_task(_load(client, path, label=f"before {len(loads)}")))
        # The new workers poll before the old ones stop.
        client = await keyed(client, keys)
        renewed = AsyncExitStack()
        await renewed.enter_async_context(both_services(client, engine))
        await _load(client, path, label=f"beside {len(loads)}")
        await running.aclose()
        running = renewed
    async with running:
        await asyncio.gather(*loads)
        await _begin_new_runs(client)
    client = await keyed(client, KEY_B)
    async with both_services(client, engine):
        await _load(client, path, label="without the old key")
    assert await rows(engine) == 4 * (2 * len(loads) + 1)
    assert await failed_tasks(client) == []


async def _begin_new_runs(client: Client) -> None:
    """Have nothing that runs need the old key."""
    await request(client, 0, Update.STOP)

    async def started() -> None:
        (batcher,) = await start_batchers(client, 1, QUICK)
        assert batcher.is_new

    await eventually(started)
    await client.get_workflow_handle(DATABASE_WORKFLOW_ID).terminate()


async def _load(client: Client, path: Path, label: str) -> None:
    await load(client, path, settings=QUICK, run_label=label, key_prefix=f"{label} ")


async def test_a_wrong_key_is_named_and_loses_nothing(
    client: Client,
    engine: AsyncEngine,
    on_servers: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(operator, "QUERY_SECONDS", 1.0)
    right, wrong = await keyed(client, KEY_A), await keyed(client, WRONG_A)
    path = write_ndjson(tmp_path / "x.ndjson", ({"id": number} for number in range(3)))
    async with both_services(right, engine):
        await start_batchers(right, 1, QUICK)
        await eventually(lambda: status(right))
    loading = asyncio.create_task(load(right, path, settings=QUICK))
    await submit(right, ("s", [record("k")]))
    async with patchable_batcher_service(wrong, engine), main_service(wrong):

        async def named() -> None:
            assert len(set(await failed_tasks(client))) == 4
            monkeypatch.setenv(ENCRYPTION_KEYS, KEY_A)
            found = await aside("doctor")
            assert "batcher-0 cannot finish its workflow task" in found.stdout
            assert "key 'a' of BATCHING_DEMO_ENCRYPTION_KEYS is not the one" in found.stdout
            assert "start its workers with the right keys" in found.stdout

        await eventually(named, every=1.0)
        assert await rows(engine) == 0
    async with both_services(right, engine):
        assert (await in_time(loading)).written == 3
    assert await rows(engine) == 4


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("", "are encrypted under key 'a': add that key to BATCHING_DEMO_ENCRYPTION_KEYS"),
        (KEY_B, "are encrypted under key 'a': add that key to BATCHING_DEMO_ENCRYPTION_KEYS"),
        (WRONG_A, "key 'a' of BATCHING_DEMO_ENCRYPTION_KEYS is not the one that has encrypted"),
    ],
)
async def test_whoever_lacks_the_key_gets_one_line(
    client: Client,
    engine: AsyncEngine,
    on_servers: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    keys: str,
    said: str,
) -> None:
    async with both_services(await keyed(client, KEY_A), engine):
        monkeypatch.setenv(ENCRYPTION_KEYS, keys)
        for command in ("batcher status", "main start", "batcher start", "main worker"):
            assert_one_line(await aside(*command.split()), 1, said)
        doctor = await aside("doctor")
        assert said in doctor.stdout
        assert doctor.exit_code == 1
        with pytest.raises(UndecodableError, match=re.escape(said)):
            await BatchingClient(await keyed(client, keys)).write([Record("k", {})])
        caplog.set_level(logging.ERROR)

        async def logged() -> None:
            assert said in caplog.text

        async with main_service(await keyed(client, keys)):
            await eventually(logged)
