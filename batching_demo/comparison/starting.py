"""Start the records of a comparison on any path, with workflows or without."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from temporalio.client import Client

from batching_demo.comparison.temporal_counts import (
    TemporalCounts,
    counts_per_request,
    counts_per_workflow,
)
from batching_demo.contracts.direct import MAX_REQUEST_RECORDS
from batching_demo.contracts.names import DIRECT, MAIN_TASK_QUEUE, WritePath
from batching_demo.main_service.direct_starter import DirectStarter
from batching_demo.main_service.messages import RunOptions, Source
from batching_demo.main_service.run_options import choose_max_open
from batching_demo.main_service.starter import Starter
from batching_demo.main_service.summary import SliceResult, Summary


def options_on(path: str, options: RunOptions) -> RunOptions:
    """Return the options of a run for one of the paths.

    Args:
        path: A write path, or `DIRECT`.
        options: What all paths have in common.
    """
    if path == DIRECT:
        # A worker gathers the requests as it does coalesced calls.
        most = min(options.records_per_workflow, MAX_REQUEST_RECORDS)
        return replace(options, write_path=WritePath.COALESCED, records_per_workflow=most)
    return replace(options, write_path=WritePath(path))


def starter_on(
    path: str,
    client: Client,
    source: Source,
    options: RunOptions,
    *,
    max_open: int | None = None,
    on_change: Callable[[Summary], None] = lambda _: None,
    on_result: Callable[[SliceResult], None] = lambda _: None,
    task_queue: str = MAIN_TASK_QUEUE,
) -> Starter | DirectStarter:
    """Return what starts the slices of a source on a path.

    Args:
        path: A write path, or `DIRECT`.
        client: Of the namespace.
        source: The input, whose first records say how many fit.
        options: Those of this path. Rows of the direct path have the run label as their source.
        max_open: Workflows or requests under way at a time; None lets their size decide.
        on_change: Called with the summary whenever it changes.
        on_result: Called with the result of each workflow or request.
        task_queue: Of the workers that run the workflows.
    """
    max_open = max_open or choose_max_open(options, source)
    if path == DIRECT:
        return DirectStarter(
            client,
            options,
            max_open=max_open,
            on_change=on_change,
            on_result=on_result,
            name=options.run_label,
        )
    return Starter(
        client,
        options,
        max_open=max_open,
        on_change=on_change,
        on_result=on_result,
        task_queue=task_queue,
    )


async def mean_counts(client: Client, path: str, results: Sequence[SliceResult]) -> TemporalCounts:
    """Return what Temporal has recorded of a workflow or a request of a run, on average."""
    ids = [result.workflow_id for result in results]
    count = counts_per_request if path == DIRECT else counts_per_workflow
    return await count(client, ids)
