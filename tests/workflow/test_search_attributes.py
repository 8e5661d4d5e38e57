"""Workflows can be searched for where the server has the attributes, and run where it has not."""

from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client

from batching_demo.batcher_service.batcher import run_length
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.operator.start import start_batchers
from batching_demo.temporal.search_attributes import KEYS, registered_attributes
from tests.support.batchers import submit
from tests.support.loading import load, write_ndjson
from tests.support.records import record
from tests.support.services import both_services, main_service, patchable_batcher_service
from tests.support.waiting import eventually

QUICK = BatcherSettings(linger_seconds=0.2)


async def register(client: Client) -> None:
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(
            namespace=client.namespace,
            search_attributes={key.name: key.indexed_value_type for key in KEYS},  # type: ignore[misc]  # an int will do
        )
    )

    async def are_known() -> None:
        assert await registered_attributes(client) == {key.name for key in KEYS}

    await eventually(are_known)


async def expect_found(client: Client, query: str, workflow_ids: set[str]) -> None:
    async def check() -> None:
        found = {one.id async for one in client.list_workflows(query)}
        assert {workflow_id.partition("-")[0] for workflow_id in found} == workflow_ids

    await eventually(check)


async def test_registered_attributes_are_set_and_kept(
    client: Client, engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_length, "MAX_SIGNALS", 3)
    await register(client)
    (started, _) = await start_batchers(client, 2, QUICK)
    batcher = client.get_workflow_handle(started.workflow_id)
    first = (await batcher.describe()).run_id
    async with patchable_batcher_service(client, engine), main_service(client):
        summary = await load(client, write_ndjson(tmp_path / "some.ndjson", [{"id": 1}]))
        assert summary.written == 1
        for number in range(3):
            await submit(client, (f"s{number}", [record(f"k{number}")]))

        async def goes_on() -> None:
            assert (await batcher.describe()).run_id != first

        await eventually(goes_on)
    await expect_found(client, "BatchingShard = 0 AND ExecutionStatus = 'Running'", {"batcher"})
    await expect_found(client, "BatchingWritePath = 'batched' AND BatchingRunLabel != ''", {"main"})


async def test_other_servers_are_asked_and_left_alone(
    client: Client, engine: AsyncEngine, tmp_path: Path
) -> None:
    assert await registered_attributes(client) == frozenset()
    await start_batchers(client, 1, QUICK)
    async with both_services(client, engine):
        summary = await load(client, write_ndjson(tmp_path / "some.ndjson", [{"id": 1}]))
    assert summary.written == 1
    description = await client.get_workflow_handle("batcher-0").describe()
    names = {pair.key.name for pair in description.typed_search_attributes}
    assert not {name for name in names if name.startswith("Batching")}
