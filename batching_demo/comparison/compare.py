"""Run the same records through each write path, and measure what each path cost."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.comparison.postgres_counts import batch_rows, checkpoint, read_counters
from batching_demo.comparison.results import Measured, PathResult, batches_of, path_result
from batching_demo.comparison.starting import mean_counts, options_on, starter_on
from batching_demo.comparison.temporal_counts import batcher_counts_since, batcher_runs
from batching_demo.contracts.counts import first_of
from batching_demo.contracts.errors import UserError
from batching_demo.contracts.names import WritePath
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.contracts.targets import RECORDS_TARGET
from batching_demo.database.batch_log.queries import count_reasons
from batching_demo.main_service.files.slice import work_of
from batching_demo.main_service.messages import RunOptions, Source
from batching_demo.main_service.starter import Starter
from batching_demo.main_service.summary import SliceResult, Summary

OnChange = Callable[[str, Summary], None]
"""Takes the name of a path, and what is known of its records."""


class ComparisonError(UserError):
    """The comparison did not finish; the message gives the reason."""


@dataclass(frozen=True)
class Comparison:
    """What to compare."""

    source: Source
    key_columns: list[str]
    records: int
    paths: Sequence[str]
    """Write paths, and `DIRECT`."""
    records_per_workflow: int
    """Or per request, on the direct path."""
    settings: BatcherSettings
    """The batchers'."""
    shards: int
    max_open: int | None
    queue_url: str = ""
    """Of the path `queued`."""
    target: str = RECORDS_TARGET
    """The name of the target. A row of any but `records` has no run label, and its key is in the
    payload. So each path gets other records of the source, one path after the other."""

    @property
    def is_own(self) -> bool:
        """Whether records go to a table of the user's own."""
        return self.target != RECORDS_TARGET


async def compare(
    client: Client, engine: AsyncEngine, comparison: Comparison, on_change: OnChange
) -> list[PathResult]:
    """Run each path under a run label of its own, which also prefixes its keys in `records`.

    Raises:
        ComparisonError: A main workflow failed.
    """
    stamp = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    return [
        path_result(await _measure(client, engine, comparison, place, f"{stamp}-{path}", on_change))
        for place, path in enumerate(comparison.paths)
    ]


async def _measure(
    client: Client,
    engine: AsyncEngine,
    comparison: Comparison,
    place: int,
    run_label: str,
    on_change: OnChange,
) -> Measured:
    path = comparison.paths[place]
    await checkpoint(engine)
    before = await read_counters(engine)
    # The other paths use no batcher, and none need run.
    shards = comparison.shards if path == WritePath.BATCHED else 0
    runs = await batcher_runs(client, shards)
    outcomes: list[SliceResult] = []
    summary = await _run(client, comparison, place, run_label, on_change, outcomes.append)
    main_counts = await mean_counts(client, path, outcomes)
    batcher_counts = await batcher_counts_since(client, runs)
    is_own = comparison.is_own
    batches = batches_of(outcomes) if is_own else await batch_rows(engine, run_label)
    after = await read_counters(engine, inserted=before.inserted + sum(batches.values()))
    return Measured(
        path=path,
        run_label=run_label,
        summary=summary,
        outcomes=outcomes,
        batches=batches,
        reasons=await count_reasons(engine, batches),
        max_records=comparison.settings.max_records,
        cost=after.since(before),
        main_counts=main_counts,
        batcher_counts=batcher_counts,
    )


async def _run(
    client: Client,
    comparison: Comparison,
    place: int,
    run_label: str,
    on_change: OnChange,
    on_result: Callable[[SliceResult], None],
) -> Summary:
    """Have the records of one path written.

    Raises:
        ComparisonError: A main workflow failed.
    """
    path = comparison.paths[place]
    options = options_on(path, _options(comparison, run_label))
    starter = starter_on(
        path,
        client,
        comparison.source,
        options,
        max_open=comparison.max_open,
        on_change=lambda summary: on_change(path, summary),
        on_result=on_result,
    )
    planned = work_of(
        comparison.source,
        options.records_per_workflow,
        limit=comparison.records,
        skip=place * comparison.records if comparison.is_own else 0,
    )
    try:
        summary = await starter.run(planned)
    except asyncio.CancelledError:
        # A request ends by itself, and needs nothing but a batcher worker.
        if isinstance(starter, Starter):
            await starter.terminate_open("the comparison was interrupted")
        raise
    if summary.failures:
        raise ComparisonError(f"{path}: {first_of(summary.failures, 1)}")
    return summary


def _options(comparison: Comparison, run_label: str) -> RunOptions:
    return RunOptions(
        key_columns=comparison.key_columns,
        records_per_workflow=comparison.records_per_workflow,
        settings=comparison.settings,
        shards=comparison.shards,
        run_label=run_label,
        key_prefix="" if comparison.is_own else f"{run_label}:",
        target=comparison.target,
    )
