"""Part 1, write: `write_batch` against single rows, raw asyncpg and COPY."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from uuid import uuid4

import asyncpg
from sqlalchemy import make_url
from sqlalchemy.dialects.postgresql import asyncpg as dialect
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.comparison.report.numbers import short
from batching_demo.comparison.report.sections import Chart, Section, Table
from batching_demo.contracts.encoding import RecordColumns
from batching_demo.contracts.messages import SubmissionHeader
from batching_demo.contracts.names import WritePath
from batching_demo.database.batch_log.log import BatchLog
from batching_demo.database.engine import SESSION_SETTINGS, create_engine
from batching_demo.database.targets.records_sql import INSERT_ROW, INSERT_ROWS, arrays, scalars
from batching_demo.database.writing.rows import RECORD_VALUES, BatchInfo, Rows
from batching_demo.database.writing.writes import write_batch, write_unbatched
from tools.benchmark.harness.counters import read_written
from tools.benchmark.harness.timing import Call, Times, timed
from tools.benchmark.parts.own_table import measure_own
from tools.benchmark.results.spread import Spread, ratios

SIZES = (1, 10, 100, 1_000)
OURS, RAW, COPY = "write_batch", "raw asyncpg", "COPY"
WITHOUT_LOG = "without the log of batches"
ROW_BY_ROW, UNBATCHED = "a transaction a row", "unbatched path"
HALF, REPLAY = "half stored already", "all stored already"
COLUMNS = (
    "idempotency_key",
    "line",
    "payload",
    "content_hash",
    "position",
    "submission_id",
    "source",
    "run_label",
    "batch_id",
    "write_path",
    "shard",
)
Method = Callable[[Rows], Awaitable[object]]


class Writers:
    """The ways to write the same rows. Each uses one connection."""

    def __init__(self, engine: AsyncEngine, connection: asyncpg.Connection) -> None:
        self._engine = engine
        self._connection = connection
        self._log = BatchLog(engine, "benchmark")
        compiled = INSERT_ROWS.compile(dialect=dialect.dialect())  # type: ignore[no-untyped-call]  # SQLAlchemy
        self._sql = str(compiled)
        self._parameters: Sequence[str] = compiled.positiontup or ()

    async def ours(self, rows: Rows) -> object:
        """Write a batch as a batcher worker does."""
        return await write_batch(self._engine, rows, self._batch(), log=self._log)

    async def without_log(self, rows: Rows) -> object:
        """Write a batch as a batcher worker with --no-batch-log does."""
        return await write_batch(self._engine, rows, self._batch())

    async def again(self, rows: Rows) -> object:
        """Write a batch as a batcher worker does when it repeats one."""
        return await write_batch(self._engine, rows, self._batch(), attempt=2, log=self._log)

    async def close(self) -> None:
        """Finish the log of batches."""
        await self._log.close()

    async def row_by_row(self, rows: Rows) -> object:
        """Write each row in a transaction: BEGIN, INSERT, COMMIT."""
        engine = self._engine.execution_options(isolation_level="READ COMMITTED")
        for row in range(len(rows)):
            async with engine.begin() as connection:
                await connection.execute(INSERT_ROW, scalars(rows, row, self._batch()))
        return None

    async def unbatched(self, rows: Rows) -> object:
        """Write each row as the unbatched path does: an INSERT that commits by itself."""
        return await write_unbatched(self._engine, rows)

    async def raw(self, rows: Rows) -> object:
        """Run the statement of `write_batch` without SQLAlchemy and without verdicts."""
        values = arrays(rows, range(len(rows)), self._batch())
        return await self._connection.fetch(self._sql, *(values[name] for name in self._parameters))

    async def copy(self, rows: Rows) -> object:
        """Copy into the table. This is the ceiling, for COPY handles no conflicts."""
        batch = self._batch()
        fixed = (batch.batch_id, batch.write_path.value, batch.shard)
        lists = (rows.values[name] for name in COLUMNS if name in RECORD_VALUES)
        records = [(*row, *fixed) for row in zip(*lists, strict=True)]
        return await self._connection.copy_records_to_table(
            "records", records=records, columns=COLUMNS
        )

    @staticmethod
    def _batch() -> BatchInfo:
        return BatchInfo(uuid4(), WritePath.BATCHED, 0)


async def measure_write(url: str, rounds: int) -> Section:
    """Run all methods in each round, in random order, over new keys."""
    engine = create_engine(url, application_name="batching-demo benchmark", pool_size=1)
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain, server_settings=dict(SESSION_SETTINGS))
    try:
        writers = Writers(engine, connection)
        try:
            times = await _measure(writers, rounds)
            section = _section(times, rounds, await _replay_wal(engine, writers))
        finally:
            await writers.close()
        own = await measure_own(engine, connection, rounds)
        return replace(section, tables=[*section.tables, own])
    finally:
        await connection.close()
        await engine.dispose()


async def _measure(writers: Writers, rounds: int) -> Times:
    methods: dict[str, Method] = {
        OURS: writers.ours,
        WITHOUT_LOG: writers.without_log,
        ROW_BY_ROW: writers.row_by_row,
        UNBATCHED: writers.unbatched,
        RAW: writers.raw,
        COPY: writers.copy,
        HALF: writers.ours,
        REPLAY: writers.again,
    }
    keys = count()

    async def prepare(name: str, size: int) -> Call:
        numbers = [next(keys) for _ in range(size)]
        stored = {HALF: size // 2, REPLAY: size}.get(name, 0)
        if stored:
            await writers.ours(make_rows(numbers[:stored]))
        return partial(methods[name], make_rows(numbers))

    return await timed(methods, SIZES, rounds, prepare)


async def _replay_wal(engine: AsyncEngine, writers: Writers) -> float:
    """Return the bytes of WAL per row of a batch whose rows are all stored already."""
    rows = make_rows(range(10**9, 10**9 + 1_000))
    await writers.ours(rows)
    before = await read_written(engine)
    for _ in range(10):
        await writers.ours(rows)
    return (await read_written(engine)).since(before).wal_bytes / 10 / len(rows)


def make_rows(numbers: Sequence[int]) -> Rows:
    """Return rows like those of the flights, with 330 bytes of JSON each."""
    payload = (
        '{"air_time":"227","arr_delay":"11","arr_time":"830","carrier":"UA","day":"1","dep_delay"'
        ':"2","dep_time":"517","dest":"IAH","distance":"1400","flight":"1545","hour":"5","minute"'
        ':"15","month":"1","origin":"EWR","sched_arr_time":"819","sched_dep_time":"515","serial":'
        '"%d","tailnum":"N14228","time_hour":"2013-01-01T10:00:00Z","year":"2013"}'
    )
    rows = Rows()
    for number in numbers:
        key = f"k{number:012d}"
        columns = RecordColumns([key], [number], [payload % number], [key.encode() * 2], [""])
        header = SubmissionHeader(f"main-{number}/0", f"main-{number}", 1, 400, "flights.csv")
        rows.append(header, columns)
    return rows


COMPARED = (
    (ROW_BY_ROW, OURS),
    (UNBATCHED, OURS),
    (OURS, WITHOUT_LOG),
    (OURS, RAW),
    (OURS, COPY),
    (HALF, OURS),
    (REPLAY, OURS),
)


def _section(times: Times, rounds: int, replay_wal: float) -> Section:
    speed = {
        name: [size / Spread.of(times[name, size]).median for size in SIZES]
        for name in dict.fromkeys(name for name, _ in times)
    }
    sizes = [f"{size:,}" for size in SIZES]
    speeds = Table(
        "The write: rows/s on one connection, by rows in a batch",
        ["", *sizes],
        [[name, *map(short, values)] for name, values in speed.items()],
        f"medians of {rounds} interleaved rounds, verdicts included where there are any",
    )
    comparison = Table(
        "write_batch compared: medians of the rounds' ratios of time",
        ["", *sizes],
        [
            [f"{over} / {under}", *(str(_ratio(times, over, under, size)) for size in SIZES)]
            for over, under in COMPARED
        ],
        f"a batch of 1,000 rows that are all stored already writes {replay_wal:.1f} bytes of WAL"
        " a row",
    )
    series = {name: speed[name] for name in (ROW_BY_ROW, UNBATCHED, OURS, RAW, COPY)}
    title = "The write: rows/s by rows in a batch"
    chart = Chart("write", title, "rows/s", sizes, series, is_logarithmic=True)
    return Section("write", [speeds, comparison], [chart])


def _ratio(times: Times, over: str, under: str, size: int) -> Spread:
    return ratios(times[over, size], times[under, size])
