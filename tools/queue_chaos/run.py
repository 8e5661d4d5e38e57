"""One run: send, kill, wait until the stream is empty, and check what is stored."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.batcher_service.queues.opening import look_at
from batching_demo.batcher_service.queues.redis_streams.source import StreamOptions
from batching_demo.batcher_service.queues.status import QueueStatus
from batching_demo.database.engine import create_engine
from batching_demo.database.schema.migrations import migrate
from batching_demo.devstack.ports import find_free_port
from batching_demo.devstack.postgres import PostgresServer
from batching_demo.devstack.system import system_directory
from batching_demo.devstack.valkey import ValkeyServer
from batching_demo.queue_servers.errors import QueueAwayError
from batching_demo.queue_servers.stream_address import StreamAddress
from tools.queue_chaos.load import bodies, send_all

APPLICATION = "batching-demo queue chaos"
ROOT = Path(__file__).parents[2]
FSYNC = ("--appendfsync", "always")
LOOK_SECONDS = 0.5
LONGEST_HEALING_SECONDS = 600.0


@dataclass(frozen=True)
class Plan:
    """What a run does."""

    messages: int
    kills: int
    seconds: float
    """How long messages are sent and processes are killed."""
    consumers: int
    seed: int
    claim_after_seconds: float


@dataclass
class Result:
    """What is left after a run."""

    good: int
    """The good messages that were sent."""
    rows: int = 0
    distinct: int = 0
    """The different messages among the rows."""
    dead_letters: Mapping[str, int] = field(default_factory=dict)
    """By reason."""
    left: QueueStatus | None = None
    deaths: int = 0
    """How often a consumer ended without having been killed by the run."""
    killed: Mapping[str, int] = field(default_factory=dict)

    @property
    def problems(self) -> list[str]:
        """What does not hold."""
        letters = {"delivered_too_often": 1, "invalid_json": 3}
        checks = {
            f"{self.rows} rows of {self.good} good messages": self.rows == self.good,
            f"{self.distinct} different rows": self.distinct == self.good,
            f"dead letters {dict(self.dead_letters)}, not {letters}": self.dead_letters == letters,
            f"on the stream: {self.left}": self.left is not None
            and self.left.length == self.left.pending == 0,
        }
        return [said for said, holds in checks.items() if not holds]


class Consumers:
    """Worker processes, which are started again whenever one has ended.

    Args:
        number: How many.
        command: Arguments of the worker.
        environment: Its variables.
        log: Gets what they say.
    """

    def __init__(
        self, number: int, command: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> None:
        self._command = [sys.executable, "-m", "tools.queue_chaos.deadly_worker", *command]
        self._environment = environment
        self._log = log
        self.deaths = 0
        self._running = [self._start() for _ in range(number)]

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                self._command, env=self._environment, cwd=ROOT, stdout=log, stderr=log
            )

    def supervise(self) -> None:
        """Start those again that have ended."""
        for place, process in enumerate(self._running):
            if process.poll() is not None:
                self.deaths += 1
                self._running[place] = self._start()

    def kill(self, place: int) -> None:
        """Kill one with -9, and start it again."""
        self._running[place].kill()
        self._running[place].wait()
        self._running[place] = self._start()

    def stop(self) -> None:
        """Let all write what they hold."""
        for process in self._running:
            process.terminate()
        for process in self._running:
            process.wait()


async def run(plan: Plan, report: Callable[[str], None]) -> Result:
    """Start servers and consumers, kill them at random moments, and return what is left."""
    with system_directory("queue-chaos") as directory:
        postgres = PostgresServer(directory / "postgres", find_free_port())
        valkey = ValkeyServer(directory / "valkey", find_free_port(), FSYNC)
        try:
            await asyncio.to_thread(postgres.initialise)
            await asyncio.to_thread(postgres.start)
            await asyncio.to_thread(valkey.start)
            await migrate(postgres.url, application_name=APPLICATION)
            return await _run(plan, postgres, valkey, directory, report)
        finally:
            valkey.kill()
            postgres.stop("immediate")


async def _run(
    plan: Plan,
    postgres: PostgresServer,
    valkey: ValkeyServer,
    directory: Path,
    report: Callable[[str], None],
) -> Result:
    address = StreamAddress.parse(f"{valkey.url}/orders")
    sent = bodies(plan.messages)
    result = Result(good=plan.messages - 4)
    command = ["--from", str(address), "--linger", "0.2", "--quiet"]
    command += ["--claim-after", str(plan.claim_after_seconds)]
    environment = {"DATABASE_URL": postgres.url, "XDG_STATE_HOME": str(directory), "HOME": "/"}
    consumers = Consumers(plan.consumers, command, environment, directory / "workers.log")
    try:
        sending = asyncio.create_task(send_all(address, sent, plan.seconds))
        result.killed = await _kill(plan, consumers, valkey, report)
        await sending
        report("all is sent; waiting until the stream is empty")
        result.left = await _wait_until_empty(address, consumers)
    finally:
        await asyncio.to_thread(consumers.stop)
    result.deaths = consumers.deaths
    engine = create_engine(postgres.url, application_name=APPLICATION)
    try:
        await _count(engine, result)
    finally:
        await engine.dispose()
    return result


async def _kill(
    plan: Plan, consumers: Consumers, valkey: ValkeyServer, report: Callable[[str], None]
) -> Mapping[str, int]:
    random = Random(plan.seed)  # noqa: S311  # not for secrets
    moments = sorted(random.uniform(0, plan.seconds) for _ in range(plan.kills))
    started = asyncio.get_running_loop().time()
    killed = {"consumer": 0, "server": 0}
    for number, moment in enumerate(moments):
        while (left := started + moment - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(min(left, LOOK_SECONDS))
            consumers.supervise()
        # The first two are of different kinds, so that even a short run has both.
        is_server = number % 2 if number < 2 else random.random() < 0.5
        if is_server:
            await asyncio.to_thread(valkey.kill)
            await asyncio.to_thread(valkey.start)
        else:
            await asyncio.to_thread(consumers.kill, random.randrange(plan.consumers))
        killed["server" if is_server else "consumer"] += 1
        report(f"{moment:6.1f} s: killed {'the server' if is_server else 'a consumer'}")
    return killed


async def _wait_until_empty(address: StreamAddress, consumers: Consumers) -> QueueStatus:
    """Return what is on the stream once that is nothing, or once it takes too long."""
    deadline = asyncio.get_running_loop().time() + LONGEST_HEALING_SECONDS
    while True:
        consumers.supervise()
        try:
            found = await look_at(str(address), StreamOptions.group)
        except QueueAwayError:
            continue
        if found.length == found.pending == 0 or asyncio.get_running_loop().time() > deadline:
            return found
        await asyncio.sleep(LOOK_SECONDS)


async def _count(engine: AsyncEngine, result: Result) -> None:
    async with engine.connect() as connection:
        counted = await connection.execute(
            text("SELECT count(*), count(DISTINCT payload->>'n') FROM records")
        )
        result.rows, result.distinct = counted.one()
        # Equal messages without a key of their own are told apart by their identity.
        letters = await connection.execute(
            text("SELECT reason, count(*) FROM dead_letters GROUP BY reason")
        )
        result.dead_letters = {str(reason): int(number) for reason, number in letters}
