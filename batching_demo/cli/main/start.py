"""`batching-demo main start`: start main workflows and report what became of their records."""

import asyncio
import json
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice

import click

from batching_demo.cli import options
from batching_demo.cli.exit_codes import FAILED, NOT_ALL_STORED
from batching_demo.cli.inputs import InputOptions, read_input
from batching_demo.cli.progress import verdict_progress
from batching_demo.contracts.names import DEFAULT_RUN_LABEL, MAIN_TASK_QUEUE, WritePath
from batching_demo.main_service.files.inspect import Inspected
from batching_demo.main_service.files.slice import slices
from batching_demo.main_service.run_options import RunOptions, with_max_open
from batching_demo.main_service.starter import Starter
from batching_demo.main_service.summary import Summary, counts
from batching_demo.settings import Settings
from batching_demo.temporal import connect, has_pollers

DEFAULT_WORKFLOWS = 5
NEW_LABEL = "new"
LONGEST_LABEL = 100


@click.command()
@options.option(
    "--workflows",
    variable="WORKFLOWS",
    type=click.IntRange(min=1),
    show_default=False,
    help="Main workflows to start. [default: 5 of the bundled flights, all of --input]",
)
@options.records_per_workflow
@options.input_file
@options.input_format
@options.delimiter
@options.encoding
@options.key
@options.max_records
@options.shards
@options.linger
@options.write_path(default=WritePath.BATCHED.value)
@click.option(
    "--again",
    is_flag=False,
    flag_value=NEW_LABEL,
    metavar="[LABEL]",
    help="Load what was loaded before once more, under a new run label, which is printed; give"
    " that label to go on with such a run. Keys stay the same: nothing is stored twice.",
)
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait for all verdicts.")
@options.max_open
@options.deadline
@options.as_json
@click.pass_obj
def start(
    settings: Settings,
    workflows: int | None,
    records_per_workflow: int,
    input_path: str | None,
    input_format: str | None,
    delimiter: str,
    encoding: str,
    key_columns: tuple[str, ...],
    max_records: int,
    shards: int,
    linger: float,
    write_path: str,
    again: str | None,
    wait: bool,
    max_open: int | None,
    deadline: float | None,
    as_json: bool,
) -> None:
    """Start main workflows over an input file, and count what became of its records.

    Run again, it attaches to what still runs and starts nothing that has completed.

    \b
    Examples:
      batching-demo main start --workflows 50
      batching-demo main start --input orders.ndjson --key order_id --records-per-workflow 100
    """
    chosen = InputOptions(input_path, input_format, delimiter, encoding, key_columns)
    inspected, keys = read_input(chosen, settings.state_directory)
    if workflows is None and input_path is None:
        workflows = DEFAULT_WORKFLOWS
    run_options = RunOptions(
        key_columns=keys,
        records_per_workflow=records_per_workflow,
        max_records=max_records,
        shards=shards,
        linger_seconds=linger,
        write_path=WritePath(write_path),
        run_label=_run_label(again, quiet=as_json),
        deadline_seconds=deadline,
        wait=wait,
    )
    run_options = with_max_open(run_options, inspected.source, max_open)
    total = inspected.records
    if workflows is not None:
        total = min(total, workflows * run_options.records_per_slice)
    with verdict_progress(total, shown=wait and not as_json) as on_change:
        try:
            work = _run(settings, inspected, run_options, workflows, on_change)
            summary = asyncio.run(work)
        except KeyboardInterrupt:
            click.echo("what was started goes on; the same command attaches to it", err=True)
            raise
    _report(summary, waited=wait, as_json=as_json)
    raise SystemExit(_exit_code(summary))


async def _run(
    settings: Settings,
    inspected: Inspected,
    run_options: RunOptions,
    workflows: int | None,
    on_change: Callable[[Summary], None],
) -> Summary:
    client = await connect(settings)
    if not await has_pollers(client, MAIN_TASK_QUEUE):
        click.echo(
            f"no worker polls {MAIN_TASK_QUEUE} yet: start one with `batching-demo main worker`",
            err=True,
        )
    source = inspected.source
    starter = Starter(client, source, run_options, on_change)
    planned = slices(source, run_options.records_per_slice, stamp=inspected.stamp)
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


def _report(summary: Summary, *, waited: bool, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(counts(summary, waited=waited)))
    else:
        for line in _lines(summary, waited=waited):
            click.echo(line)
    for failure in summary.failures[:5]:
        click.echo(f"Error: {failure}", err=True)


def _lines(summary: Summary, *, waited: bool) -> Iterator[str]:
    if summary.read == 0:
        yield "0 records: nothing to do"
        return
    if summary.already_done:
        yield (
            f"{summary.already_done} records are already done: their workflows had completed and"
            " were not started again (--again loads them once more)"
        )
    if summary.attached:
        yield f"{_workflows(summary.attached)} already under way; attached"
    yield f"{_workflows(summary.workflows)}, {summary.started} of them new, {summary.seconds:.1f} s"
    if waited:
        yield (
            f"{summary.read} records: {summary.written} written, {summary.duplicate} duplicate,"
            f" {summary.conflict} conflict, {summary.rejected} rejected,"
            f" {summary.already_done} already done"
        )
    if summary.pending:
        yield f"{summary.pending} records have no verdict yet"


def _workflows(number: int) -> str:
    return f"{number} workflow{'' if number == 1 else 's'}"


def _exit_code(summary: Summary) -> int:
    if summary.failures:
        return FAILED
    return NOT_ALL_STORED if summary.conflict + summary.rejected else 0
