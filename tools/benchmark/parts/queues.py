"""Part 10, queues: the intake beside FastStream, its latency, and the path `queued`."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from sqlalchemy import text

from batching_demo.comparison.report.numbers import short
from batching_demo.comparison.report.sections import Section, Table
from batching_demo.comparison.results import percentile
from batching_demo.contracts.names import WritePath
from batching_demo.devstack.workers import coalescing_by
from batching_demo.main_service.messages import Source
from tools.benchmark.harness.bench import Bench, BenchmarkError
from tools.benchmark.harness.cells import Cell
from tools.benchmark.harness.consumers import (
    Drained,
    Stream,
    client_of,
    faststream,
    flight_messages,
    intake,
)
from tools.benchmark.harness.flights import SERIAL
from tools.benchmark.harness.rounds import Report, Samples, interleaved, relative, speed
from tools.benchmark.parts.paths import ONE_BY_ONE, SLICES_LINGER, SLICES_MAX_RECORDS
from tools.benchmark.results.spread import Spread, ratios

BATCH = 500
LINGER = 0.1
SHORT_LINGER = 1.0
PER_SECOND = 500
INTAKE, TWO, FASTSTREAM = "intake", "intake, 2 workers", "FastStream"
PATHS = (WritePath.BATCHED, WritePath.QUEUED)
COMMITTED = text(
    "SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin)) - (payload->>'sent')::float8"
    " FROM records"
)


async def measure_queues(
    bench: Bench,
    source: Source,
    messages: int,
    workflows: Mapping[int, int],
    seconds: float,
    rounds: int,
    report: Report,
) -> Section:
    """Measure consumers of a stream, and workflows that submit through one.

    Args:
        bench: Servers, a Valkey among them.
        source: The flights.
        messages: On the stream when consumers begin.
        workflows: Number of main workflows, by records per workflow.
        seconds: How long messages come at a constant rate.
        rounds: Runs of everything.
        report: Gets a line for each run.

    Raises:
        BenchmarkError: FastStream is not installed.
    """
    if not find_spec("faststream"):
        raise BenchmarkError("FastStream is not installed: `scripts/benchmark queues` installs it")
    async with client_of(bench) as redis:
        bodies = flight_messages(source.path, messages)
        drained = await _drain_in_turns(bench, redis, bodies, rounds, report)
        waits = [await _latencies(bench, redis, seconds) for _ in range(rounds)]
    tables = [_drained(drained, messages, rounds), _waited(waits, seconds)]
    samples: Samples = {}
    for each, count in workflows.items():
        chosen = [_cell(path, count, each) for path in PATHS]
        await bench.restart_workers(coalescing_by(chosen[0].settings))
        samples |= await interleaved(bench, source, chosen, rounds, report)
    return Section("queues", [*tables, _paths(samples, rounds)])


def _cell(path: WritePath, count: int, each: int) -> Cell:
    """Return a cell; so few records fill no batch, and must not wait for a long linger."""
    if each in ONE_BY_ONE:
        return Cell(path, count, each, linger_seconds=SHORT_LINGER)
    return Cell(path, count, each, SLICES_MAX_RECORDS, linger_seconds=SLICES_LINGER)


async def _drain_in_turns(
    bench: Bench, redis: Any, bodies: Sequence[bytes], rounds: int, report: Report
) -> dict[str, list[Drained]]:
    drained: dict[str, list[Drained]] = {INTAKE: [], TWO: [], FASTSTREAM: []}
    for number in range(rounds):
        for name, runs in drained.items():
            stream = Stream(bench, redis)
            ours = intake(stream.url, BATCH, LINGER)
            commands = {
                INTAKE: [ours],
                TWO: [ours, ours],
                FASTSTREAM: [faststream(stream.name, BATCH)],
            }
            run = await stream.drained_by(commands[name], bodies)
            runs.append(run)
            report(
                f"round {number + 1} of {rounds}: {name}: {run.records_per_second:,.0f} records/s"
            )
    return drained


async def _latencies(bench: Bench, redis: Any, seconds: float) -> list[float]:
    """Return the seconds from send to commit of each message that came at a constant rate."""
    await bench.record_commit_times()
    await bench.empty_tables()
    stream = Stream(bench, redis)
    number = int(PER_SECOND * seconds)
    async with stream.consumed_by([intake(stream.url, BATCH, 0)]):
        began = time.monotonic()
        for place in range(number):
            await asyncio.sleep(max(0.0, began + place / PER_SECOND - time.monotonic()))
            await stream.add(json.dumps({SERIAL: str(place), "sent": time.time()}).encode())
        await stream.wait_for_rows(number)
    async with bench.engine.connect() as connection:
        return [float(one) for one in await connection.scalars(COMMITTED)]


def _drained(drained: Mapping[str, Sequence[Drained]], messages: int, rounds: int) -> Table:
    speeds = {name: [run.records_per_second for run in runs] for name, runs in drained.items()}
    rows = [
        [
            name,
            str(Spread.of(speeds[name])),
            str(ratios(speeds[name], speeds[FASTSTREAM])),
            short(Spread.of([messages / run.batches / BATCH for run in runs]).median),
        ]
        for name, runs in drained.items()
    ]
    return Table(
        f"{messages:,} messages on a stream: from the first read to the last row",
        ["consumer", "records/s", "x FastStream", "fullness of batches"],
        rows,
        f"medians of {rounds} interleaved rounds, lowest and highest in brackets; {BATCH} a batch;"
        " FastStream's subscriber inserts with asyncpg, and has neither verdicts nor dead letters",
    )


def _waited(waits: Sequence[Sequence[float]], seconds: float) -> Table:
    rows = [
        [f"p{percent}", str(Spread.of([percentile(run, percent) * 1000 for run in waits]))]
        for percent in (50, 95, 99)
    ]
    return Table(
        f"From send to commit: {PER_SECOND} messages/s for {seconds:g} s, linger 0, one worker",
        ["", "ms"],
        rows,
        f"medians of {len(waits)} runs; the time of a commit is Postgres's own",
    )


def _paths(samples: Samples, rounds: int) -> Table:
    rows = []
    for cell, found in samples.items():
        batched = next(
            others
            for other, others in samples.items()
            if other.path == WritePath.BATCHED
            and other.records_per_workflow == cell.records_per_workflow
        )
        first = found[0]
        rows.append(
            [
                str(cell.records_per_workflow),
                cell.name,
                str(speed(found)),
                str(relative(found, batched)),
                short(Spread.of([cell.records / one.batches for one in found]).median),
                short(first.main_events + first.batcher_events),
                short(Spread.of([one.p50_seconds for one in found]).median),
            ]
        )
    return Table(
        "Workflows that submit by signal, and through a queue",
        ["records a workflow", "path", "records/s", "x batched", "records a batch",
         "events a record", "p50 s"],
        rows,
        f"medians of {rounds} interleaved rounds, lowest and highest in brackets; p50 is from"
        " submission to verdict",
    )  # fmt: skip
