"""With keys set, Temporal and the queue have nothing of any record.

Markers in all parts of records are sought in both.
"""

import asyncio
import json
import logging
import os
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import ActivityFailureError, Client, WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from batching_demo import BatchingClient, EncryptionPlugin, Record
from batching_demo.contracts.direct import WRITE_RECORDS
from batching_demo.contracts.names import BATCHER_TASK_QUEUE, WritePath
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.contracts.retries import RetryInput
from batching_demo.devstack.valkey import ValkeyServer
from batching_demo.operator.retries import RetryRequest, retry_dead_letter
from batching_demo.operator.start import start_batchers
from batching_demo.requester.client import LONGEST_ATTEMPT
from tests.support.database import scalar
from tests.support.loading import load
from tests.support.markers import found_in, histories, log_texts, sqlite_texts
from tests.support.queues import chosen_redis, running_valkey
from tests.support.services import batcher_service, main_service
from tests.support.waiting import eventually
from tests.support.writing import create_trigger

ENCRYPTED, PLAIN = "encrypted", "plain"
QUICK = BatcherSettings(linger_seconds=0.1)
REFUSE = """
BEGIN
    IF NEW.payload ? 'refuse' THEN
        RAISE EXCEPTION '%', NEW.payload->>'refuse' USING ERRCODE = '22023';
    END IF;
    RETURN NEW;
END"""


class Markers:
    """Texts that occur nowhere else, those of one way to run."""

    def __init__(self, way: str) -> None:
        self._way = way
        self.made: list[str] = []
        self.named: list[str] = []
        """Those that are keys of undecided records."""

    def new(self, what: str) -> str:
        self.made.append(f"marker-{what}-{self._way}")
        return self.made[-1]

    def undecided(self, what: str) -> str:
        self.named.append(self.new(what))
        return self.named[-1]


async def run_everything(
    client: Client, engine: AsyncEngine, queue_url: str, markers: Markers, directory: Path
) -> str:
    """Write on every path, with bad records among the others; return the details of a workflow."""
    async with (
        batcher_service(client, engine, QUICK, queue_url=queue_url),
        main_service(client, queue_url=queue_url),
    ):
        undecided = await leave_undecided(client, markers, directory)
        await start_batchers(client, 1, QUICK)
        for path in WritePath:
            summary = await load(
                client,
                write_lines(directory / f"{path.value}.ndjson", markers, path),
                write_path=path,
                settings=QUICK,
                records_per_workflow=4,
            )
            assert (summary.written, summary.rejected) == (1, 2), summary
        await retry(client, engine, markers)
        await write_directly(client, markers)
        return undecided


def write_lines(path: Path, markers: Markers, name: str) -> Path:
    """Write a good record, one that is no JSON, and one that Postgres refuses."""
    good = {"id": markers.new(f"key-{name}"), "text": markers.new(f"payload-{name}")}
    refused = {"id": markers.new(f"refused-{name}"), "refuse": markers.new(f"error-{name}")}
    broken = f'{{"id": "{markers.new(f"letter-{name}")}'
    path.write_text("\n".join([json.dumps(good), broken, json.dumps(refused)]) + "\n")
    return path


async def leave_undecided(client: Client, markers: Markers, directory: Path) -> str:
    """Fail a workflow by its deadline and cancel another one, while there is no batcher."""
    paths = []
    for what in ("late", "cancelled"):
        paths.append(directory / f"{what}.ndjson")
        paths[-1].write_text(json.dumps({"id": markers.undecided(what)}) + "\n")
    late = await load(client, paths[0], deadline_seconds=0.2, settings=QUICK)
    assert "no verdict yet for 1 record" in late.failures[0]
    loading = asyncio.create_task(load(client, paths[1], settings=QUICK))

    async def waiting() -> WorkflowHandle[Any, Any]:
        running = "ExecutionStatus = 'Running' AND WorkflowType = 'MainWorkflow'"
        found = [one.id async for one in client.list_workflows(running)]
        assert found
        handle = client.get_workflow_handle(found[0])
        assert "waiting for batcher-0" in await details(handle)
        return handle

    handle = await eventually(waiting)
    await handle.cancel()
    await loading
    return f"{late.failures} {await details(handle)}"


async def details(handle: WorkflowHandle[Any, Any]) -> str:
    return str(await handle.query("__temporal_workflow_metadata"))


async def retry(client: Client, engine: AsyncEngine, markers: Markers) -> None:
    """Retry the dead letter of a line that is no JSON, with a payload and a key."""
    letter = await scalar(engine, "SELECT max(id) FROM dead_letters WHERE reason = 'invalid_json'")
    payload = json.dumps({"text": markers.new("edited")}).encode()
    request = RetryInput(int(str(letter)), 2, QUICK.linger_seconds, key=markers.new("retried"))
    assert (await retry_dead_letter(client, RetryRequest(request, payload))).verdict == "written"


async def write_directly(client: Client, markers: Markers) -> None:
    """Write without a workflow, and make a request that cannot be read."""
    good = Record(markers.new("key-direct"), {"text": markers.new("payload-direct")})
    rejection = f"mine: {markers.new('rejection')}"
    bad = Record(markers.new("bad-direct"), markers.new("letter-direct"), rejection=rejection)
    results = await BatchingClient(client).write([good, bad])
    assert [result.verdict for result in results] == ["written", "rejected"]
    with pytest.raises(ActivityFailureError):
        await client.execute_activity(
            WRITE_RECORDS,
            {markers.new("field"): 1},
            id="unreadable",
            task_queue=BATCHER_TASK_QUEUE,
            start_to_close_timeout=LONGEST_ATTEMPT,
        )


@pytest.fixture
def queue(pytestconfig: pytest.Config, quick_reads: None) -> Iterator[ValkeyServer]:
    """A queue of this test's own: its log has all that was ever sent."""
    with running_valkey(chosen_redis(pytestconfig)) as server:
        yield server


async def test_temporal_and_the_queue_have_nothing_of_a_record(
    engine: AsyncEngine, queue: ValkeyServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await create_trigger(engine, REFUSE)
    database = tmp_path / "temporal.sqlite"
    keys = {ENCRYPTED: f"k1:{b64encode(os.urandom(32)).decode()}", PLAIN: ""}
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(Path(sys.executable).with_name("temporal")),
        dev_server_database_filename=str(database),
        dev_server_extra_args=[part for way in keys for part in ("--namespace", way)],
        dev_server_log_level="error",
    ) as environment:
        address = environment.client.service_client.config.target_host
        for way, text in keys.items():
            plugins = [EncryptionPlugin(text)]
            client = await Client.connect(address, namespace=way, plugins=plugins)
            markers = Markers(way)
            undecided = await run_everything(client, engine, queue.url, markers, tmp_path)
            expected = set(markers.made) if way == PLAIN else set()
            assert found_in(await histories(client), markers.made) == expected
            assert found_in(sqlite_texts(database), markers.made) == expected
            queued = {one for one in expected if f"-{WritePath.QUEUED}-" in one}
            assert found_in(log_texts(queue), markers.made) == queued
            named = set(markers.named) if way == PLAIN else set()
            assert {one for one in markers.named if one in undecided} == named
            in_log = {one for one in markers.made if one in caplog.text}
            assert in_log == ({markers.named[-1]} if way == PLAIN else set())
