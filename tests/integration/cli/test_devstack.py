"""The embedded servers: what runs is found again, and `down` leaves nothing behind."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest
from click.testing import CliRunner, Result
from redis.asyncio import Redis
from temporalio.client import Client

from batching_demo.cli.dev import dev
from batching_demo.devstack import installation, processes, stack, temporal_server
from batching_demo.devstack.account import barrier
from batching_demo.devstack.errors import DevStackError
from batching_demo.devstack.files import exclusively
from batching_demo.devstack.launch import Log
from batching_demo.devstack.ports import HOST, find_free_port
from batching_demo.devstack.postgres import PostgresServer
from batching_demo.devstack.temporal_server import TemporalServer
from batching_demo.settings import DevStackAddresses, Settings
from batching_demo.temporal.search_attributes import KEYS, registered_attributes

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user")
UP_AND_HANG = """
import sys, time
from pathlib import Path
from batching_demo.devstack import stack
stack.up(Path(sys.argv[1]), lambda line: None)
time.sleep(600)
"""


def ignore(line: str) -> None:
    """Report nothing."""


@contextmanager
def state_directory() -> Iterator[Path]:
    # pytest's own directories are private, and root's Postgres runs as another user.
    path = Path(tempfile.mkdtemp(prefix="batching-demo-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        stack.down(path, ignore)
        shutil.rmtree(path)


@pytest.fixture
def directory() -> Iterator[Path]:
    with state_directory() as path:
        yield path


@pytest.fixture
def used_directory(directory: Path, cluster: Path) -> Path:
    """A state directory with a cluster in it, which saves a test an initdb."""
    subprocess.run(["cp", "-a", cluster, directory / "postgres"], check=True)
    return directory


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server of this file's own, for these tests treat it badly."""
    with state_directory() as path:
        server = PostgresServer(path / "postgres", find_free_port())
        server.initialise()
        server.start()
        yield server


def left_running(directory: Path) -> list[list[str]]:
    """List the command lines that name the state directory."""
    commands = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    return [command for command in commands if any(str(directory) in word for word in command)]


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} does not appear"
        time.sleep(0.01)


async def query(url: str, sql: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_up_reuses_what_runs_and_down_keeps_only_the_data(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Their URL says all that libpq's variables could say.
    monkeypatch.setenv("PGSSLMODE", "require")
    first = stack.up(directory, ignore, queue=True)
    await query(first.database_url, "CREATE TABLE kept AS SELECT 1")
    async with Redis.from_url(str(first.queue_url)) as valkey:
        assert await valkey.config_get("appendonly", "maxmemory-policy") == {
            "appendonly": "yes",
            "maxmemory-policy": "noeviction",
        }
        await valkey.set("kept", "1")
    started = left_running(directory)

    assert stack.up(directory, ignore) == first == DevStackAddresses.read(directory)
    assert left_running(directory) == started
    assert stack.status(directory).is_running

    stack.down(directory, ignore)
    assert left_running(directory) == []
    assert DevStackAddresses.read(directory) is None
    assert not stack.status(directory).is_running

    assert stack.up(directory, ignore).queue_url is None
    again = stack.up(directory, ignore, queue=True)
    async with Redis.from_url(str(again.queue_url)) as valkey:
        assert await valkey.get("kept") == b"1"
    assert await query(again.database_url, "SELECT count(*) FROM kept") == 1
    client = await Client.connect(again.temporal_address)
    assert await registered_attributes(client) == {key.name for key in KEYS}


async def test_a_server_from_before_search_attributes_gets_them(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = TemporalServer(directory / "temporal", find_free_port(), find_free_port())

    async def known() -> Set[str]:
        server.start()
        found = await registered_attributes(await Client.connect(server.address))
        server.stop()
        return found

    with monkeypatch.context() as before:
        before.setattr(temporal_server, "REGISTER", [])
        assert await known() == set()
    for _ in range(2):
        assert await known() == {key.name for key in KEYS}


def test_down_finds_everything_when_its_owner_was_killed(used_directory: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", UP_AND_HANG, str(used_directory)])
    wait_for(DevStackAddresses.path(used_directory))
    worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    processes.register(used_directory, worker.pid, "main-worker")
    owner.kill()
    owner.wait()
    DevStackAddresses.path(used_directory).unlink()

    assert [each.name for each in stack.status(used_directory).workers] == ["main-worker"]
    stack.down(used_directory, ignore)

    assert left_running(used_directory) == []
    assert worker.wait(60) == -signal.SIGTERM
    assert stack.status(used_directory).workers == []


def test_up_carries_on_where_a_killed_one_left_off(directory: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", UP_AND_HANG, str(directory)])
    wait_for(directory / "postgres" / "18.partial" / "PG_VERSION")
    owner.kill()
    owner.wait()

    stack.down(directory, ignore)
    assert left_running(directory) == []

    stack.up(directory, ignore)
    assert stack.status(directory).is_running


async def test_taken_ports_are_avoided_and_later_ones_kept(
    used_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("POSTGRES_PORT", "TEMPORAL_PORT", "UI_PORT")
    with ExitStack() as open_sockets:
        usual = [
            open_sockets.enter_context(socket.create_server((HOST, 0))).getsockname()[1]
            for _ in names
        ]
        for name, port in zip(names, usual, strict=True):
            monkeypatch.setattr(stack, name, port)
        addresses = stack.up(used_directory, ignore)
        # Workers still try to reach servers that have died.
        found = stack.status(used_directory)
        assert found.postgres
        assert found.temporal
        found.postgres.stop()
        found.temporal.stop()
        assert stack.up(used_directory, ignore) == addresses

    for port in usual:
        assert f":{port}" not in addresses.model_dump_json()
    assert await query(addresses.database_url, "SELECT 1") == 1


async def test_a_port_lost_at_the_last_moment_is_replaced(
    used_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server((HOST, 0)) as taken:
        believed_free = iter([taken.getsockname()[1]])
        monkeypatch.setattr(
            stack, "choose_port", lambda usual: next(believed_free, None) or find_free_port()
        )
        addresses = stack.up(used_directory, ignore)

    assert await query(addresses.database_url, "SELECT 1") == 1


def test_a_taken_port_is_one_clear_line(directory: Path) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        server = PostgresServer(directory / "postgres", port)
        with pytest.raises(DevStackError, match=f"port {port} .* taken"):
            server.start()


async def test_a_crash_loses_nothing_that_was_committed(server: PostgresServer) -> None:
    await query(server.url, "CREATE TABLE kept AS SELECT 1")
    server.stop("immediate")
    assert not server.is_running

    server.start()

    assert await query(server.url, "SELECT count(*) FROM kept") == 1
    assert await query(server.url, "SHOW fsync") == "on"
    assert await query(server.url, "SHOW synchronous_commit") == "on"


async def test_a_killed_server_starts_again_at_once(server: PostgresServer) -> None:
    lock = server.directory / "18" / "postmaster.pid"
    os.kill(int(lock.read_text().split()[0]), signal.SIGKILL)

    server.start()

    assert await query(server.url, "SELECT 1") == 1


async def test_nobody_enters_without_the_password(server: PostgresServer) -> None:
    password = server.directory / "password"
    assert password.stat().st_mode & 0o777 == 0o600

    with pytest.raises(asyncpg.InvalidPasswordError):
        await query(server.url.replace(password.read_text(), "wrong"), "SELECT 1")


@ROOT_ONLY
def test_root_copies_programs_that_its_server_user_cannot_reach(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installation, "barrier", lambda path: path)
    server = PostgresServer(directory / "postgres", find_free_port())
    server.initialise()
    server.start()

    assert left_running(directory)[0][0].startswith(str(server.directory))


@ROOT_ONLY
def test_root_is_told_when_its_server_user_cannot_reach_the_data(directory: Path) -> None:
    private = directory / "private"
    private.mkdir(mode=0o700)

    with pytest.raises(DevStackError, match=f"may not enter {private}"):
        PostgresServer(private / "postgres", find_free_port()).initialise()
    assert private.stat().st_mode & 0o777 == 0o700


@ROOT_ONLY
@pytest.mark.parametrize("umask", [0o027, 0o077, 0o777])
def test_root_lets_its_server_user_through_what_it_makes(directory: Path, umask: int) -> None:
    state = directory / "a place" / "batching-demo"
    before = os.umask(umask)
    try:
        with exclusively(state, ignore):
            assert barrier(state) is None
        state.chmod(0o700)  # As an earlier version left it.
        with exclusively(state, ignore):
            assert barrier(state) is None
        assert (state / "lock").stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)


def test_a_second_one_waits_for_the_first(directory: Path) -> None:
    said: list[str] = []
    released = threading.Event()

    def second() -> None:
        with exclusively(directory, said.append):
            assert released.is_set()

    with ThreadPoolExecutor(1) as pool:
        with exclusively(directory, ignore):
            waiting = pool.submit(second)
            while not said:
                time.sleep(0.01)
            released.set()
        waiting.result(20)
    assert said == ["waiting for another `dev up` or `dev down`"]


def test_a_process_id_of_somebody_else_is_left_alone(directory: Path) -> None:
    ours = psutil.Process()
    stale = processes.Worker(name="gone", pid=ours.pid, created=ours.create_time() - 60)

    assert stale.process() is None


def test_a_log_is_quoted_from_this_run_only(directory: Path) -> None:
    path = directory / "log"
    path.write_text("FATAL: the last time\n")
    log = Log(path)
    with path.open("a") as file:
        file.write("FATAL:  could not write: no space left\nremoving the directory\n")

    assert log.explain() == f"FATAL:  could not write: no space left (log: {path})"


def test_the_commands_tell_what_runs_by_their_exit_code(used_directory: Path) -> None:
    def run(command: str) -> Result:
        return CliRunner().invoke(dev, [command], obj=Settings(used_directory))

    assert run("status").exit_code == 1
    started = run("up")
    assert started.exit_code == 0, started.output
    assert "Web UI http://127.0.0.1:" in started.stdout
    assert run("status").stdout == started.stdout
    assert run("down").exit_code == 0
    assert run("status").exit_code == 1
