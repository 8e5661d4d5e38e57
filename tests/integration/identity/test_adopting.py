"""A database that takes the place of another one, or of what Temporal has forgotten."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.common import WorkflowIDReusePolicy

from batching_demo import BatchingClient, Record
from batching_demo.cli.app import app
from batching_demo.contracts.errors import UserError
from batching_demo.contracts.names import MAIN_TASK_QUEUE, MAIN_WORKFLOW, WritePath
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.database.identity import read_identity
from batching_demo.database.schema.migrations import migrate
from batching_demo.main_service.files.inspect import inspect
from batching_demo.main_service.files.slice import slices
from batching_demo.main_service.messages import MainInput, MainResult, RunOptions
from batching_demo.main_service.run_options import run_id
from batching_demo.operator.start import start_batchers
from batching_demo.temporal.namespace_database import claim, find_database, move
from tests.support.commands import aside, assert_one_line, run
from tests.support.database import execute, execute_at, rows, scalar, server_of
from tests.support.loading import write_ndjson
from tests.support.services import batcher_service, both_services

QUICK = BatcherSettings(linger_seconds=0.2)
DOCUMENTS = [{"id": number} for number in range(20)]


async def rebuild(url: str) -> None:
    """Drop a database under its workers, and create it again."""
    name = make_url(url).database
    await execute_at(
        server_of(url), f"DROP DATABASE {name} WITH (FORCE)", f"CREATE DATABASE {name}"
    )
    await migrate(url, application_name="tests")


@pytest.mark.usefixtures("on_servers")
class TestAdopting:
    """A database that takes the place of another one."""

    async def test_a_rebuilt_database_is_not_taken_for_the_old_one(
        self, client: Client, engine: AsyncEngine, database_url: str, tmp_path: Path
    ) -> None:
        path = write_ndjson(tmp_path / "orders.ndjson", [{"id": 1}, {"id": 1, "other": True}])
        arguments = ("--input", str(path), "--key", "id", "--records-per-workflow", "2")
        load_it = ("main", "start", *arguments, "--json")
        retry_it = ("dead-letters", "retry", "1")
        await start_batchers(client, 1, QUICK)
        async with both_services(client, engine):
            assert (await aside(*load_it)).exit_code == 3
            stays = "dead letter 1: conflict: the key is stored with other content"
            assert stays in (await aside(*retry_it)).stdout
            await rebuild(database_url)
            assert_one_line(await aside(*load_it), 1, "is for database", "db adopt")
            assert (await aside("db", "adopt", "--yes")).exit_code == 0
            again = await aside(*load_it)
            retried = await aside(*retry_it)
            edited = tmp_path / "edited.json"
            edited.write_text('{"id": 2}')
            stored = await aside(*retry_it, "--edit", str(edited), "--key", "2")
        counts = json.loads(again.stdout)
        counted = [counts[name] for name in ("written", "conflict", "already_done")]
        assert counted == [1, 1, 0], again.output
        assert stays in retried.stdout
        assert stored.stdout == "dead letter 1: written\n"
        assert await scalar(engine, "SELECT array_agg(idempotency_key) FROM records") == ["1", "2"]

    async def test_what_a_restored_copy_lacks_is_loaded_again(
        self, client: Client, engine: AsyncEngine, tmp_path: Path
    ) -> None:
        path = write_ndjson(tmp_path / "orders.ndjson", DOCUMENTS)
        arguments = ("main", "start", "--input", str(path), "--key", "id", "--json")
        load_it = (*arguments, "--write-path", "unbatched", "--records-per-workflow", "5")
        async with both_services(client, engine):
            assert json.loads((await aside(*load_it)).stdout)["written"] == 20
            assert json.loads((await aside(*load_it)).stdout)["already_done"] == 20
            await execute(engine, "DELETE FROM records WHERE line > 15")
            assert (await aside("db", "adopt", "--yes")).exit_code == 0
            counts = json.loads((await aside(*load_it)).stdout)
        counted = [counts[name] for name in ("written", "duplicate", "already_done")]
        assert counted == [5, 15, 0]

    async def test_a_request_without_a_workflow_is_made_again(
        self, client: Client, engine: AsyncEngine
    ) -> None:
        batching, records = BatchingClient(client), [Record("a", {}), Record("b", {})]
        async with batcher_service(client, engine, QUICK):
            for _ in range(2):
                (one, other) = await batching.write(records, request_id="one")
                assert (one.verdict, other.verdict) == ("written", "written")
                await execute(engine, "DELETE FROM records WHERE idempotency_key = 'b'")
                assert (await aside("db", "adopt", "--yes")).exit_code == 0
            await batching.write(records, request_id="one")
        assert await rows(engine) == 2

    async def test_it_says_what_it_changes_and_asks(
        self, client: Client, engine: AsyncEngine
    ) -> None:
        old = await read_identity(engine)
        await claim(client, "another")
        declined = await asyncio.to_thread(CliRunner().invoke, app, ["db", "adopt"], input="n\n")
        assert_one_line(declined, 1, "nothing has changed")
        for said in (f": database {old}", f"namespace {client.namespace} is for database another"):
            assert said in declined.stdout
        assert (await read_identity(engine), await find_database(client)) == (old, "another")
        accepted = await aside("db", "adopt", "--yes")
        new = await read_identity(engine)
        assert new != old
        assert f"identity {old} -> {new}" in accepted.stdout
        assert await find_database(client) == new
        await move(client, "another")
        assert (await aside("db", "adopt", "--yes", "--keep-identity")).exit_code == 0
        assert (await read_identity(engine), await find_database(client)) == (new, new)

    async def test_a_database_without_an_identity_gets_one(
        self, client: Client, engine: AsyncEngine
    ) -> None:
        await execute(engine, "TRUNCATE database_identity")
        with pytest.raises(UserError, match="no identity: run `batching-demo db adopt`"):
            await read_identity(engine)
        assert (await aside("db", "adopt", "--yes")).exit_code == 0
        assert await read_identity(engine) == await find_database(client)

    def test_without_temporal_nothing_changes(
        self, database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
        assert_one_line(run("db", "adopt", "--yes"), 1, "Temporal does not answer")


async def test_a_workflow_that_runs_again_after_the_retention_finds_its_own_rows(
    client: Client, engine: AsyncEngine, tmp_path: Path
) -> None:
    path = write_ndjson(tmp_path / "orders.ndjson", DOCUMENTS)
    source = inspect(path, format=None, delimiter=",", key_columns=["id"]).source
    options = RunOptions(["id"], 20, write_path=WritePath.UNBATCHED)
    (slice_,) = slices(source, 20)
    async with both_services(client, engine):
        for _ in range(2):
            result: MainResult = await client.execute_workflow(
                MAIN_WORKFLOW,
                MainInput(source, slice_, options),
                id=f"main-{run_id(source, options)}-0",
                task_queue=MAIN_TASK_QUEUE,
                result_type=MainResult,
                # As if the first one was forgotten.
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            )
            assert (result.written, await rows(engine)) == (20, 20)
