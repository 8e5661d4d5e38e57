"""The process of the DBOS peer: it loads, prepares and writes slices, with a workflow for each.

It takes a `Job` a line on standard input, runs it, and prints its seconds.
"""

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import asyncpg
from dbos import DBOS

from batching_demo.main_service.files.inspect import inspect
from batching_demo.main_service.files.read import read_slice
from batching_demo.main_service.files.slice import slices
from batching_demo.main_service.messages import RunOptions, Slice, Source
from batching_demo.main_service.preparation import prepare
from tools.benchmark.harness.flights import SERIAL
from tools.benchmark.peers.job import Job

Result = TypeVar("Result")
INSERT = """
INSERT INTO records (idempotency_key, source, line, payload, content_hash, submission_id, position,
                     batch_id, write_path, run_label)
SELECT key, $5, line, payload::jsonb, hash, $6, position - 1, $7, 'dbos', $8
FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bytea[])
     WITH ORDINALITY AS sent (key, line, payload, hash, position)
ON CONFLICT (idempotency_key) DO NOTHING
RETURNING idempotency_key
"""


WriteSlice = Callable[[Source, Slice, str], int]
"""Takes a slice of a source and a run label, and returns how many records it has written."""


class Database:
    """A pool of asyncpg in a thread of its own.

    DBOS runs synchronous steps faster than asynchronous ones, so the steps are synchronous.
    """

    def __init__(self, url: str) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._pool = self._wait_for(_open_pool(url))

    def insert(
        self, columns: Sequence[Sequence[object]], name: str, submission: str, label: str
    ) -> int:
        """Insert records, and return how many were new."""
        values = (*columns, name, submission, uuid4(), label)
        return len(self._wait_for(self._fetch(values)))

    async def _fetch(self, values: Sequence[object]) -> list[Any]:
        return list(await self._pool.fetch(INSERT, *values))

    def _wait_for(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def define(database: Database) -> WriteSlice:
    """Define the steps and the workflow, and return the workflow."""

    def insert(columns: list[Sequence[object]], name: str, submission: str, label: str) -> int:
        return database.insert(columns, name, submission, label)

    load = DBOS.step(name="load")(read_slice)
    prepare_columns = DBOS.step(name="prepare")(_prepare)
    write = DBOS.step(name="write")(insert)

    def write_slice(source: Source, slice_: Slice, label: str) -> int:
        columns = prepare_columns(source, slice_, load(source, slice_), label)
        return int(write(columns, source.name, f"{label}-{slice_.position}", label))

    workflow: WriteSlice = DBOS.workflow(name="write_slice")(write_slice)
    return workflow


async def _open_pool(url: str) -> asyncpg.Pool:
    return await asyncpg.create_pool(url, min_size=1, max_size=10)


def _prepare(source: Source, slice_: Slice, raw: bytes, label: str) -> list[Sequence[object]]:
    """Return the columns of the INSERT that depend on the record."""
    options = RunOptions(key_columns=[SERIAL], key_prefix=f"{label}:")
    records = prepare(source, slice_, raw, options)
    keys = [record.key for record in records]
    lines = [record.line for record in records]
    payloads = [record.payload for record in records]
    return [keys, lines, payloads, [record.content_hash for record in records]]


def run(write_slice: WriteSlice, job: Job, workers: ThreadPoolExecutor) -> float:
    """Run the workflows of a job, and return the seconds that they took."""
    source = inspect(Path(job.path), key_columns=[SERIAL]).source
    planned = list(slices(source, job.records_per_workflow, limit=job.records))
    began = time.monotonic()
    written = sum(workers.map(lambda one: write_slice(source, one, job.label), planned))
    seconds = time.monotonic() - began
    if written != job.records:
        raise SystemExit(f"{written} of {job.records} records written")
    return seconds


def main() -> None:
    """Run jobs until standard input ends."""
    system = os.environ["DBOS_DATABASE_URL"]
    DBOS(config={"name": "peer", "system_database_url": system, "log_level": "WARNING"})
    write_slice = define(Database(os.environ["DATABASE_URL"]))
    DBOS.launch()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        job = Job(**json.loads(line))
        with ThreadPoolExecutor(job.at_once) as workers:
            sys.stdout.write(f"{run(write_slice, job, workers)}\n")
        sys.stdout.flush()
    DBOS.destroy()


if __name__ == "__main__":
    main()
