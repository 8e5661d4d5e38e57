"""Real servers: a Postgres and a Temporal a session, a database and a namespace a test."""

import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import GrpcCompression, RPCError
from temporalio.testing import WorkflowEnvironment

from batching_demo.batcher_service.queues.redis_streams import source as stream_source
from batching_demo.database.schema.migrations import migrate
from batching_demo.devstack.valkey import ValkeyServer
from batching_demo.queue_servers.stream_address import StreamAddress
from tests.support import parts
from tests.support.database import execute_at
from tests.support.patience import give_workflow_tasks_time
from tests.support.postgres import (
    ChosenPostgres,
    chosen_postgres,
    create_database,
    open_engine,
    running_postgres,
)
from tests.support.queues import chosen_redis, new_stream, running_valkey
from tests.support.waiting import eventually

# Nothing of the machine's own configuration may reach a test.
for name in list(os.environ):
    if name.startswith(("TEMPORAL_", "BATCHING_DEMO_", "PG")) or name == "DATABASE_URL":
        del os.environ[name]
os.environ["XDG_CONFIG_HOME"] = "/nonexistent"
# The servers of Temporal collect garbage less often. That saves a tenth of their processor time
# for 200 MB each.
os.environ["GOGC"] = "400"
give_workflow_tasks_time()

SESSION = pytest.StashKey[pytest.Session]()
TEMPLATE = "template_batching_demo"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items[:] = parts.fast_first(items)
    _, pooler = chosen_postgres(config)
    if pooler:
        items[:] = [item for item in items if not item.get_closest_marker("no_pooler")]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    lines = list(parts.describe(terminalreporter.stats))
    if len(lines) > 1:
        terminalreporter.section("parts")
        terminalreporter.write("".join(f"{line}\n" for line in lines))


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave without finalising Python: a thread of Temporal's runtime may abort that."""
    session = config.stash.get(SESSION, None)
    if session is None:
        return
    reporter = config.pluginmanager.getplugin("terminalreporter")
    if reporter and reporter.stats:
        counts = parts.count(reporter.stats)
        reporter.write_line(counts)
        path = os.environ.get("TEST_COUNTS")
        if path and not hasattr(config, "workerinput"):
            with Path(path).open("a") as file:
                file.write(f"{counts}\n")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(session.exitstatus))


def pytest_sessionstart(session: pytest.Session) -> None:
    session.config.stash[SESSION] = session
    # A shell has its background jobs ignore SIGINT, as nohup does SIGHUP, and the processes that
    # tests start inherit it.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> Iterator[ChosenPostgres]:
    with running_postgres(*chosen_postgres(pytestconfig)) as server:
        yield server


@pytest.fixture(scope="session")
def valkey(pytestconfig: pytest.Config) -> Iterator[ValkeyServer]:
    with running_valkey(chosen_redis(pytestconfig)) as server:
        yield server


@pytest.fixture
def quick_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A consumer that stops does not wait as long for its read."""
    monkeypatch.setattr(stream_source, "WAIT_MILLISECONDS", 100)


@pytest.fixture
def stream(valkey: ValkeyServer, quick_reads: None) -> StreamAddress:
    """A stream of this test's own."""
    return new_stream(valkey)


@pytest.fixture(scope="session")
async def template(postgres: ChosenPostgres) -> str:
    """A migrated database that each test's own is copied from."""
    await execute_at(postgres.url, f"CREATE DATABASE {TEMPLATE}")
    await migrate(postgres.direct_url(TEMPLATE), application_name="tests")
    return TEMPLATE


@pytest.fixture
async def database_url(postgres: ChosenPostgres, template: str) -> str:
    """A migrated database of this test's own."""
    return await create_database(postgres, template)


@pytest.fixture
async def empty_database_url(postgres: ChosenPostgres) -> str:
    """A database without a schema."""
    return await create_database(postgres, "template0")


@pytest.fixture
async def engine(postgres: ChosenPostgres, database_url: str) -> AsyncIterator[AsyncEngine]:
    async with open_engine(postgres, database_url, pool_size=10) as engine:
        yield engine


@pytest.fixture(scope="session")
async def temporal() -> AsyncIterator[WorkflowEnvironment]:
    settings = {
        # Continue-as-new is suggested early, so that tests meet it.
        "limit.historyCount.suggestContinueAsNew": "400",
        # A new search attribute is usable soon. More often would cost much, with many namespaces.
        "system.namespaceCacheRefreshInterval": '"1s"',
        # Each namespace would get workers of the server's own, for schedules and the like.
        "worker.perNamespaceWorkerCount": "0",
        "frontend.WorkflowPauseEnabled": "true",
    }
    environment = await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(Path(sys.executable).with_name("temporal")),
        dev_server_extra_args=[
            part
            for name, value in settings.items()
            for part in ("--dynamic-config-value", f"{name}={value}")
        ],
        dev_server_log_level="error",
    )
    async with environment:
        yield environment


@pytest.fixture
async def client(temporal: WorkflowEnvironment) -> Client:
    """A client in a namespace of this test's own, so that workflow ids and queues never meet."""
    namespace = f"test-{uuid.uuid4().hex[:12]}"
    retention = Duration(seconds=24 * 60 * 60)
    await temporal.client.workflow_service.register_namespace(
        RegisterNamespaceRequest(namespace=namespace, workflow_execution_retention_period=retention)
    )
    address = temporal.client.service_client.config.target_host
    # As the product does; compressing costs more than it saves where nothing is far away.
    compression = GrpcCompression.NONE
    client = await Client.connect(address, namespace=namespace, grpc_compression=compression)

    async def is_known() -> None:
        with pytest.raises(RPCError) as absent:
            await client.get_workflow_handle("absent").describe()
        assert "amespace" not in absent.value.message

    await eventually(is_known)
    return client


@pytest.fixture
def servers(client: Client, database_url: str, tmp_path: Path) -> dict[str, str]:
    """The environment of a process that uses this test's database and namespace."""
    return {
        "DATABASE_URL": database_url,
        "TEMPORAL_ADDRESS": client.service_client.config.target_host,
        "TEMPORAL_NAMESPACE": client.namespace,
        "XDG_STATE_HOME": str(tmp_path),
    }


@pytest.fixture
def on_servers(servers: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this process use this test's database and namespace."""
    for name, value in servers.items():
        monkeypatch.setenv(name, value)
