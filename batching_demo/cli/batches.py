"""`batching-demo batches`: a line for each INSERT of a batch, from the log of batches."""

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from batching_demo.cli import options
from batching_demo.cli.dead_letters.printing import WIDE, terminal_safe
from batching_demo.contracts.batches import describe_origin
from batching_demo.contracts.names import WritePath
from batching_demo.core.buffer import FlushReason
from batching_demo.database.batch_log.queries import (
    EntrySelection,
    LogEntry,
    count_entries,
    find_entries,
)
from batching_demo.database.engine import create_engine
from batching_demo.database.errors import database_errors
from batching_demo.settings import Settings

DEFAULT_LIMIT = 50
LOGGED_PATHS = [path.value for path in WritePath if path is not WritePath.UNBATCHED]
TEXTS = ("batch", "part", "path", "target", "reason")
NUMBERS = ("records", "written", "duplicate", "conflict", "rejected", "ms", "attempt")


@click.command("batches")
@options.as_one(
    "selection",
    EntrySelection,
    click.option("--batch", "batch_id", type=click.UUID, metavar="ID", help="Only this batch."),
    options.option(
        "--shard", type=click.IntRange(min=0), metavar="NUMBER", help="Batches of this shard."
    ),
    options.option("--target", metavar="NAME", help="Batches for this target."),
    options.option(
        "--write-path", type=click.Choice(LOGGED_PATHS), help="Batches of this write path."
    ),
    options.option(
        "--reason",
        type=click.Choice([reason.value for reason in FlushReason]),
        help="Batches with this flush reason.",
    ),
)
@options.option(
    "--limit",
    type=click.IntRange(min=1),
    default=DEFAULT_LIMIT,
    help="Entries to list, at most.",
)
@options.pooler
@options.as_json
@click.pass_obj
def batches(settings: Settings, selection: EntrySelection, limit: int, as_json: bool) -> None:
    """List the batches that were written, the newest first.

    A batch has a line for each of its INSERTs that has committed. Its duplicates, conflicts,
    rejected records and milliseconds come some seconds later, in the line of its first part.

    \b
    Examples:
      batching-demo batches
      batching-demo batches --shard 0 --reason age --limit 10
    """
    entries, more = asyncio.run(_find(settings, selection, limit))
    if as_json:
        found = [_as_json(entry) for entry in entries]
        click.echo(json.dumps({"entries": found, "more": more}, indent=2))
    elif not entries:
        click.echo("no such batches in the log")
    else:
        _print_table(entries)
        if more:
            total = len(entries) + more
            click.echo(f"{len(entries)} of {total}; --limit {total} shows {more} more")


async def _find(
    settings: Settings, selection: EntrySelection, limit: int
) -> tuple[list[LogEntry], int]:
    """Return the newest entries of a selection, and how many more it has."""
    engine = create_engine(
        settings.required_database_url,
        application_name="batching-demo batches",
        pooler=settings.pooler,
    )
    try:
        with database_errors():
            entries = await find_entries(engine, selection, limit)
            if len(entries) < limit:
                return entries, 0
            return entries, max(0, await count_entries(engine, selection) - len(entries))
    finally:
        await engine.dispose()


def _print_table(entries: Sequence[LogEntry]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in TEXTS:
        table.add_column(name, overflow="fold")
    for name in NUMBERS:
        table.add_column(name, justify="right")
    for name in ("written at, UTC", "worker"):
        table.add_column(name, no_wrap=True)
    for entry in entries:
        table.add_row(*map(Text, _cells(entry)))
    Console(width=None if sys.stdout.isatty() else WIDE).print(table)


def _cells(entry: LogEntry) -> Iterator[str]:
    yield str(entry.batch_id)
    yield str(entry.part)
    yield describe_origin(entry.write_path, entry.shard)
    yield terminal_safe(entry.target)
    yield entry.reason
    for number in (
        entry.records,
        entry.written,
        entry.duplicate,
        entry.conflict,
        entry.rejected,
        entry.milliseconds,
        entry.attempt,
    ):
        yield "" if number is None else str(number)
    yield f"{entry.written_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    yield terminal_safe(entry.worker)


def _as_json(entry: LogEntry) -> dict[str, Any]:
    return {
        **asdict(entry),
        "batch_id": str(entry.batch_id),
        "written_at": entry.written_at.isoformat(),
    }
