"""Part pooler: what the write costs through PgBouncer, and with transactions of its own."""

from contextlib import AsyncExitStack
from functools import partial
from itertools import count
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.comparison.report.sections import Section, Table
from batching_demo.contracts.names import WritePath
from batching_demo.database.engine import create_engine
from batching_demo.database.writing.rows import BatchInfo
from batching_demo.database.writing.writes import write_batch
from batching_demo.devstack.postgres import PostgresServer
from batching_demo.settings import Pooler
from tools.benchmark.harness.bench import BenchmarkError
from tools.benchmark.harness.timing import Call, Times, timed
from tools.benchmark.parts.write import make_rows
from tools.benchmark.results.spread import Spread, ratios
from tools.pgbouncer import PROGRAM, running_pgbouncer, through

SIZES = (1, 10, 100, 1_000)
DIRECT, TOLD, POOLED = "direct", "direct, --pooler transaction", "through PgBouncer"
NAME = "batching-demo benchmark"


async def measure_pooler(postgres: PostgresServer, rounds: int) -> Section:
    """Write the same batches each way in each round, in random order, over new keys."""
    if not PROGRAM.exists():
        raise BenchmarkError(f"there is no {PROGRAM}: install Debian's package pgbouncer")
    directory = postgres.directory.parent / "pgbouncer"
    directory.mkdir()
    directory.chmod(0o755)
    async with AsyncExitStack() as stack:
        port = stack.enter_context(running_pgbouncer(postgres, directory))
        ways: dict[str, tuple[str, Pooler]] = {
            DIRECT: (postgres.url, "auto"),
            TOLD: (postgres.url, "transaction"),
            POOLED: (through(port, postgres.url), "auto"),
        }
        engines = {
            way: create_engine(url, application_name=NAME, pool_size=1, pooler=pooler)
            for way, (url, pooler) in ways.items()
        }
        for engine in engines.values():
            stack.push_async_callback(engine.dispose)
        return _section(await _measure(engines, rounds), rounds)


async def _measure(engines: dict[str, AsyncEngine], rounds: int) -> Times:
    keys = count()

    async def prepare(way: str, size: int) -> Call:
        rows = make_rows([next(keys) for _ in range(size)])
        batch = BatchInfo(uuid4(), WritePath.BATCHED, 0)
        return partial(write_batch, engines[way], rows, batch)

    return await timed(engines, SIZES, rounds, prepare)


def _section(times: Times, rounds: int) -> Section:
    sizes = [f"{size:,}" for size in SIZES]
    note = f"medians of {rounds} interleaved rounds"
    ways = dict.fromkeys(way for way, _ in times)
    milliseconds = Table(
        "The write behind a pooler: ms a batch, by rows in a batch",
        ["", *sizes],
        [
            [way, *(str(Spread.of([1000 * each for each in times[way, size]])) for size in SIZES)]
            for way in ways
        ],
        note,
    )
    compared = Table(
        "The same in times of direct: medians of the rounds' ratios",
        ["", *sizes],
        [
            [way, *(str(ratios(times[way, size], times[DIRECT, size])) for size in SIZES)]
            for way in ways
            if way != DIRECT
        ],
        note,
    )
    return Section("pooler", [milliseconds, compared])
