"""`batching-demo intake send`: put the records of a file on a queue."""

import asyncio
from collections.abc import Iterator, Sequence

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from batching_demo.batcher_service.queues.opening import open_sender
from batching_demo.batcher_service.queues.sender import Sender
from batching_demo.cli.intake import queue_options
from batching_demo.cli.process.quiet import is_quiet, quiet_option
from batching_demo.cli.submitting.input_options import (
    InputOptions,
    input_arguments_without_key,
    read_inputs,
)
from batching_demo.cli.submitting.progress import RateColumn
from batching_demo.contracts.counts import count
from batching_demo.contracts.errors import InputError
from batching_demo.main_service.files.inspect import Inspected
from batching_demo.main_service.files.read import is_oversized, read_slice
from batching_demo.main_service.files.slice import slices
from batching_demo.main_service.messages import RunOptions
from batching_demo.main_service.preparation import prepare
from batching_demo.settings import Settings

SENT_AT_ONCE = 500
"""Messages in one round trip."""


@click.command()
@input_arguments_without_key
@queue_options.queue("--to")
@queue_options.endpoint_url
@queue_options.body
@quiet_option
@click.pass_obj
def send(
    settings: Settings,
    file: InputOptions,
    queue: str,
    endpoint_url: str | None,
    body_field: str,
) -> None:
    """Put each record of a file on a queue, as a message with its JSON object.

    Without FILE it sends the bundled flights. A record that is no JSON object is sent as it is. If
    a file is sent again, its records are other messages: with --key, `intake worker` stores them
    once all the same.

    \b
    Examples:
      batching-demo intake send orders.ndjson --to redis://127.0.0.1:6379/0/orders
      batching-demo intake send orders.csv.gz --to redis://127.0.0.1:6379/0/orders
    """
    inspected, _ = read_inputs(file, settings.state_directory)
    total = sum(one.records for one in inspected)
    asyncio.run(_send(inspected, open_sender(queue, body_field, endpoint_url), total))
    click.echo(f"{count(total, 'message')} sent")


async def _send(inspected: Sequence[Inspected], sender: Sender, total: int) -> None:
    columns = BarColumn(), MofNCompleteColumn(), RateColumn(), TimeRemainingColumn()
    console = Console(stderr=True)
    sent = 0
    try:
        with Progress(*columns, console=console, disable=is_quiet(), transient=True) as progress:
            task = progress.add_task("", total=total)
            for one in inspected:
                for bodies in _bodies(one):
                    await sender.send(bodies)
                    sent += len(bodies)
                    progress.update(task, completed=sent)
    finally:
        if sent < total:
            click.echo(f"{sent:,} of {count(total, 'message')} sent", err=True)
        await sender.close()


def _bodies(inspected: Inspected) -> Iterator[list[bytes]]:
    """Yield the JSON objects of a file, some at a time.

    Raises:
        InputError: A record is too large for the table.
    """
    source = inspected.source
    for slice_ in slices(source, SENT_AT_ONCE, stamp=inspected.stamp):
        if is_oversized(slice_):
            raise InputError(
                f"{source.name}, line {slice_.first_line}: the record has {slice_.length:,} bytes,"
                " which is more than can be stored"
            )
        records = prepare(source, slice_, read_slice(source, slice_), RunOptions())
        yield [record.payload.encode() for record in records]
