"""`batching-demo intake status`: show what is on a queue."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import asdict

import click

from batching_demo.batcher_service.queues.opening import look_at
from batching_demo.batcher_service.queues.status import QueueStatus
from batching_demo.cli import options
from batching_demo.cli.intake import queue_options

LABEL_WIDTH = 14


@click.command()
@queue_options.from_queue
@queue_options.endpoint_url
@queue_options.group
@options.as_json
def status(queue: str, endpoint_url: str | None, group: str, as_json: bool) -> None:
    """Show what is on a queue.

    That is how many messages there are, how many of them are pending, and which consumers the group
    has. It changes nothing.

    \b
    Example:
      batching-demo intake status --from redis://127.0.0.1:6379/0/orders
    """
    found = asyncio.run(look_at(queue, group, endpoint_url))
    click.echo(json.dumps(asdict(found), indent=2) if as_json else "\n".join(_lines(found)))


def _lines(status: QueueStatus) -> Iterator[str]:
    unknown = "unknown"
    oldest = unknown if status.oldest_seconds is None else f"{status.oldest_seconds:,.1f} s"
    redelivered = unknown if status.redelivered is None else f"{status.redelivered:,}"
    yield _line("length", f"{status.length:,}")
    yield _line("pending", f"{status.pending:,}")
    yield _line("oldest", oldest)
    yield _line("redelivered", redelivered)
    for consumer in status.consumers or ():
        yield _line(
            "consumer",
            f"{consumer.name}: {consumer.pending:,} pending,"
            f" idle for {consumer.idle_seconds:,.1f} s",
        )


def _line(label: str, value: str) -> str:
    return f"{label:<{LABEL_WIDTH}}{value}"
