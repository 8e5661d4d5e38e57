"""A namespace is for one database: others are refused, told apart, and adopted."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import CliRunner
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.common import WorkflowIDReusePolicy

from batching_demo import BatchingClient, Record
from batching_demo.batcher_service.identity import guard
from batching_demo.batcher_service.worker import build_worker
from batching_demo.cli.app import app
from batching_demo.cli.main import start as main_start
from batching_demo.cli.submitting import running_batchers
from batching_demo.contracts.errors import UserError
from batching_demo.contracts.identity import DATABASE_WORKFLOW_ID, name_worker
from batching_demo.contracts.names import MAIN_TASK_QUEUE, MAIN_WORKFLOW, WritePath
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.contracts.retries import RetryInput
from batching_demo.database.engine import create_engine
from batching_demo.database.identity import read_identity, renew_identity
from batching_demo.database.schema.migrations import migrate
from batching_demo.main_service.files.inspect import inspect
from batching_demo.main_service.files.slice import slices
from batching_demo.main_service.messages import MainInput, MainResult, RunOptions
from batching_demo.main_service.run_options import run_id
from batching_demo.operator.identity import ask_identity
from batching_demo.operator.retries import RetryFailedError, RetryRequest, retry_dead_letter
from batching_demo.operator.start import start_batchers
from batching_demo.temporal.namespace_database import claim, find_database, move
from tests.support.batchers import expect_error
from tests.support.commands import aside, assert_one_line, run
from tests.support.database import execute, execute_at, rows, scalar
from tests.support.loading import load, write_ndjson
from tests.support.paths import WITHOUT_QUEUE
from tests.support.postgres import ChosenPostgres, create_database
from tests.support.processes import start_process
from tests.support.services import batcher_service, both_services, main_service
from tests.support.waiting import eventually, in_time

QUICK = BatcherSettings(linger_seconds=0.2)
DOCUMENTS = [{"id": number} for number in range(20)]


@pytest.fixture(autouse=True)
def nothing_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "TRUSTED_SECONDS", 0.0)


@pytest.fixture
async def other_url(postgres: ChosenPostgres) -> str:
    """Another environment's database."""
    return await create_database(postgres)


@pytest.fixture
async def other_engine(other_url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(other_url, application_name="tests")
    await renew_identity(engine)
    yield engine
    await engine.dispose()


def server_of(url: str) -> str:
    return make_url(url).set(database="postgres").render_as_string(hide_password=False)


async def rebuild(url: str) -> None:
    """Drop a database under its workers, and create it again."""
    name = make_url(url).database
    await execute_at(
        server_of(url), f"DROP DATABASE {name} WITH (FORCE)", f"CREATE DATABASE {name}"
    )
    await migrate(url, application_name="tests")


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
