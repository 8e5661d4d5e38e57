"""`batching-demo submit`: have the records of files stored, without workflows."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import click

from batching_demo.cli import options
from batching_demo.cli.process.quiet import is_quiet, quiet_option
from batching_demo.cli.servers import name_temporal
from batching_demo.cli.submitting.input_options import InputOptions, input_arguments, read_inputs
from batching_demo.cli.submitting.progress import verdict_progress
from batching_demo.cli.submitting.running_batchers import ask_database
from batching_demo.cli.submitting.summary import print_summary, run_exit_code
from batching_demo.cli.submitting.target_options import TargetOptions, target_options
from batching_demo.contracts.counts import count
from batching_demo.main_service.direct_starter import RECORDS_PER_REQUEST, DirectStarter
from batching_demo.main_service.files.inspect import Inspected
from batching_demo.main_service.files.slice import work_of
from batching_demo.main_service.messages import RunOptions
from batching_demo.main_service.summary import Summary
from batching_demo.settings import Settings
from batching_demo.temporal.connecting import connect

REQUESTS_AT_ONCE = 32
"""Of at most 512 KiB each, so 16 MiB under way."""


@click.command()
@input_arguments
@target_options
@options.as_json
@quiet_option
@click.pass_obj
def submit(settings: Settings, file: InputOptions, into: TargetOptions, as_json: bool) -> None:
    """Store the records of files, without workflows and without a batcher.

    A batcher worker writes them, together with those of other callers. Run it again, and the same
    files get the same verdicts. A FILE is CSV with a header, or NDJSON, either also gzipped, or a
    directory of them; - is standard input. Without FILE it takes the bundled flights.

    \b
    Examples:
      batching-demo submit orders.ndjson --key order_id
      batching-demo submit - --format csv --key order_id < orders.csv
    """
    inspected, keys = read_inputs(file, settings.state_directory, into.declaration)
    run_options = RunOptions(keys, RECORDS_PER_REQUEST, target=into.target)
    quiet = as_json or is_quiet()
    summary = Summary()
    try:
        asyncio.run(_run(settings, inspected, run_options, summary, quiet=quiet))
    except KeyboardInterrupt:
        _print_interrupted(summary, inspected, as_json=as_json)
        raise
    print_summary(summary, waited=True, as_json=as_json)
    raise SystemExit(run_exit_code(summary))


async def _run(
    settings: Settings,
    inspected: Sequence[Inspected],
    run_options: RunOptions,
    summary: Summary,
    *,
    quiet: bool,
) -> None:
    name_temporal(settings)
    client = await connect(settings)
    total = sum(one.records for one in inspected)
    database = await ask_database(client, seconds=None) if total else ""
    run_options = replace(run_options, database=database)
    planned = (
        work
        for one in inspected
        for work in work_of(one.source, RECORDS_PER_REQUEST, stamp=one.stamp)
    )
    with verdict_progress(total, shown=not quiet) as on_change:
        starter = DirectStarter(
            client,
            run_options,
            max_open=REQUESTS_AT_ONCE,
            on_change=on_change,
            summary=summary,
        )
        await starter.run(planned)


def _print_interrupted(summary: Summary, inspected: Sequence[Inspected], *, as_json: bool) -> None:
    """Print what is known, if anything was sent."""
    if summary.read:
        print_summary(summary, waited=True, as_json=as_json)
    total = count(sum(one.records for one in inspected), "record")
    click.echo(
        f"what was sent is written all the same; the same command gets the verdicts of all {total}",
        err=True,
    )
