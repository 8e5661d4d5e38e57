"""Real servers: a Postgres and a Temporal a session, a database and a namespace a test."""

import os
import signal
import sys
import uuid
from collections import deque
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from google.protobuf.duration_pb2 import Duration
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import GrpcCompression, RPCError
from temporalio.testing import WorkflowEnvironment

from batching_demo.batcher_service.queues.redis_streams import source as stream_source
from batching_demo.devstack.valkey import ValkeyServer
from batching_demo.queue_servers.stream_address import StreamAddress
from tests.support import parts
from tests.support.patience import give_requests_time, give_workflow_tasks_time
from tests.support.postgres import (
    ChosenPostgres,
    chosen_postgres,
    create_database,
    open_engine,
    prepare_cluster,
    running_postgres,
)
from tests.support.queues import chosen_redis, new_stream, running_valkey
from tests.support.roles import ROLES, url_as
from tests.support.temporal import running_temporal
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
give_requests_time()

SESSION = pytest.StashKey[pytest.Session]()


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
async def cluster(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cluster that those of all servers are copies of, in all processes of this run."""
    directory = tmp_path_factory.getbasetemp()
    if hasattr(pytestconfig, "workerinput"):
        directory = directory.parent
    place = directory / "cluster"
    with FileLock(f"{place}.lock"):
        if not place.exists():
            version, _ = chosen_postgres(pytestconfig)
            await prepare_cluster(place, version)
    return place


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config, cluster: Path) -> Iterator[ChosenPostgres]:
    with running_postgres(cluster, *chosen_postgres(pytestconfig)) as server:
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


@pytest.fixture
async def database_url(postgres: ChosenPostgres) -> str:
    """A migrated database of this test's own."""
    return await create_database(postgres)


@pytest.fixture
async def empty_database_url(postgres: ChosenPostgres) -> str:
    """A database without a schema."""
    return await create_database(postgres, "template0")


@pytest.fixture
def worker_url(request: pytest.FixtureRequest, database_url: str) -> str:
    """The same database, as the writer in tests that are marked so."""
    is_marked = request.node.get_closest_marker("as_writer")
    return url_as(database_url, ROLES.writer) if is_marked else database_url


@pytest.fixture
async def engine(postgres: ChosenPostgres, worker_url: str) -> AsyncIterator[AsyncEngine]:
    async with open_engine(postgres, worker_url, pool_size=10) as engine:
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
    async with running_temporal(settings) as environment:
        yield environment


async def register_namespace(client: Client) -> str:
    """Create a namespace under a random name, and return that."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    retention = Duration(seconds=24 * 60 * 60)
    await client.workflow_service.register_namespace(
        RegisterNamespaceRequest(namespace=name, workflow_execution_retention_period=retention)
    )
    return name


@pytest.fixture(scope="session")
def namespaces() -> deque[str]:
    """Namespaces for the next tests: the server takes a second to know a new one."""
    return deque()


@pytest.fixture
async def client(temporal: WorkflowEnvironment, namespaces: deque[str]) -> Client:
    """A client in a namespace of this test's own, so that workflow ids and queues never meet."""
    while len(namespaces) < 2:
        namespaces.append(await register_namespace(temporal.client))
    namespace = namespaces.popleft()
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
def servers(client: Client, worker_url: str, tmp_path: Path) -> dict[str, str]:
    """The environment of a process that uses this test's database and namespace."""
    return {
        "DATABASE_URL": worker_url,
        "TEMPORAL_ADDRESS": client.service_client.config.target_host,
        "TEMPORAL_NAMESPACE": client.namespace,
        "XDG_STATE_HOME": str(tmp_path),
    }


@pytest.fixture
def on_servers(servers: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this process use this test's database and namespace."""
    for name, value in servers.items():
        monkeypatch.setenv(name, value)
