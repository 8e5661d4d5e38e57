"""`batching-demo main start`: start main workflows and count the verdicts of their records."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice

import click

from batching_demo.cli import options
from batching_demo.cli.main.hindrances import reporting_hindrances
from batching_demo.cli.process.quiet import is_quiet, quiet_option
from batching_demo.cli.servers import name_temporal
from batching_demo.cli.submitting.input_options import InputOptions, input_options, read_inputs
from batching_demo.cli.submitting.progress import verdict_progress
from batching_demo.cli.submitting.running_batchers import (
    BatcherOptions,
    ask_database,
    batcher_options,
    choose_for_paths,
)
from batching_demo.cli.submitting.summary import print_summary, run_exit_code
from batching_demo.cli.submitting.target_options import TargetOptions, target_options
from batching_demo.contracts.names import DEFAULT_RUN_LABEL, MAIN_TASK_QUEUE, WritePath
from batching_demo.main_service.files.inspect import Inspected
from batching_demo.main_service.files.slice import work_of
from batching_demo.main_service.messages import RunOptions
from batching_demo.main_service.run_options import check_records_per_workflow, choose_max_open
from batching_demo.main_service.starter import Starter
from batching_demo.main_service.summary import Summary
from batching_demo.settings import Settings
from batching_demo.temporal.connecting import connect
from batching_demo.temporal.pollers import find_worker_problem

DEFAULT_WORKFLOWS = 5
NEW_LABEL = "new"
LONGEST_LABEL = 100
LONGEST_NO_WAIT_SECONDS = 30.0
"""How long --no-wait waits for a batcher worker to say which database it writes to."""


@click.command()
@options.option(
    "--workflows",
    type=click.IntRange(min=1),
    help=f"Main workflows to start. [default: {DEFAULT_WORKFLOWS} of the bundled flights, all of"
    " --input]",
)
@options.records_per_workflow
@input_options
@target_options
@batcher_options
@options.write_path(default=RunOptions.write_path.value)
@click.option(
    "--again",
    is_flag=False,
    flag_value=NEW_LABEL,
    metavar="[LABEL]",
    help="Load the input once more, under a new run label, which is printed. Give that label to go"
    " on with such a run. Keys stay the same, so nothing is stored twice.",
)
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait for all verdicts.")
@options.max_open
@options.option(
    "--deadline",
    type=options.Seconds(min_open=True),
    metavar="SECONDS",
    help="Seconds after which a workflow ends without its missing verdicts. [default: never]",
)
@options.as_json
@quiet_option
@click.pass_obj
def start(
    settings: Settings,
    workflows: int | None,
    records_per_workflow: int,
    file: InputOptions,
    into: TargetOptions,
    batchers: BatcherOptions,
    write_path: str,
    again: str | None,
    wait: bool,
    max_open: int | None,
    deadline: float | None,
    as_json: bool,
) -> None:
    """Start main workflows over an input file.

    It counts the verdicts of the records. Run it again, and it attaches to workflows that still run
    and starts none that has completed.

    \b
    Examples:
      batching-demo main start --workflows 50
      batching-demo main start --input orders.ndjson --key order_id --records-per-workflow 100
      batching-demo main start --input january.csv --input february.csv --key order_id
      batching-demo main start --input invoices.csv --target invoices --targets targets.toml
    """
    inspected, keys = read_inputs(file, settings.state_directory, into.declaration)
    if workflows is None and not file.paths:
        workflows = DEFAULT_WORKFLOWS
    run_options = RunOptions(
        key_columns=keys,
        records_per_workflow=records_per_workflow,
        write_path=WritePath(write_path),
        run_label=_run_label(again, quiet=as_json),
        deadline_seconds=deadline,
        target=into.target,
    )
    work = _run(
        settings,
        inspected,
        run_options,
        batchers,
        max_open,
        workflows,
        waits=wait,
        quiet=as_json or is_quiet(),
    )
    try:
        summary = asyncio.run(work)
    except KeyboardInterrupt:
        click.echo("what was started goes on; the same command attaches to it", err=True)
        raise
    print_summary(summary, waited=wait, as_json=as_json)
    raise SystemExit(run_exit_code(summary))


async def _run(
    settings: Settings,
    inspected: Sequence[Inspected],
    run_options: RunOptions,
    batchers: BatcherOptions,
    max_open: int | None,
    workflows: int | None,
    *,
    waits: bool,
    quiet: bool,
) -> Summary:
    name_temporal(settings)
    client = await connect(settings)
    if any(one.records for one in inspected):
        database = await ask_database(client, seconds=None if waits else LONGEST_NO_WAIT_SECONDS)
        run_options = replace(run_options, database=database)
    known = await choose_for_paths(client, batchers, [run_options.write_path])
    run_options = replace(run_options, settings=known.settings, shards=known.shards)
    check_records_per_workflow(run_options)
    sources = [one.source for one in inspected]
    max_open = max_open or min(choose_max_open(run_options, source) for source in sources)
    if problem := await find_worker_problem(client, MAIN_TASK_QUEUE):
        click.echo(problem, err=True)
    most = run_options.records_per_workflow
    total = sum(one.records for one in inspected)
    if workflows is not None:
        total = min(total, workflows * most)
    planned = (work for one in inspected for work in work_of(one.source, most, stamp=one.stamp))
    with verdict_progress(total, shown=waits and not quiet) as on_change:
        starter = Starter(client, run_options, max_open=max_open, waits=waits, on_change=on_change)
        batched = waits and run_options.write_path is WritePath.BATCHED
        shards = range(run_options.shards if batched else 0)
        async with reporting_hindrances(client, starter, shards):
            return await starter.run(islice(planned, workflows))


def _run_label(again: str | None, *, quiet: bool) -> str:
    if again is None:
        return DEFAULT_RUN_LABEL
    if again != NEW_LABEL:
        if not again.isprintable() or not 0 < len(again) <= LONGEST_LABEL:
            raise click.BadParameter(
                f"give a label of 1 to {LONGEST_LABEL} printable characters", param_hint="--again"
            )
        return again
    label = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    click.echo(f"run label {label}; to go on with this run: --again={label}", err=quiet)
    return label
