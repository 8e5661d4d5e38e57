"""`batching-demo batches`: a line for each INSERT of a batch, from the log of batches."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import click

from batching_demo.cli import options
from batching_demo.cli.listing import (
    left_out,
    limit_option,
    new_table,
    print_left_out,
    print_table,
    shown_time,
    terminal_safe,
)
from batching_demo.contracts.batches import describe_origin
from batching_demo.contracts.names import WritePath
from batching_demo.core.buffer import FlushReason
from batching_demo.database.batch_log.queries import (
    EntrySelection,
    LogEntry,
    count_entries,
    find_entries,
)
from batching_demo.database.opening import open_database
from batching_demo.settings import Settings

LOGGED_PATHS = [path.value for path in WritePath if path is not WritePath.UNBATCHED]
TEXTS = ("batch", "part", "path", "target", "reason")
NUMBERS = ("records", "written", "duplicate", "conflict", "rejected", "ms", "attempt")


@click.command("batches")
@options.as_one(
    "selection",
    EntrySelection,
    click.option("--batch", "batch_id", type=click.UUID, metavar="ID", help="Only this batch."),
    options.option(
        "--shard",
        type=click.IntRange(min=0, max=options.MOST_SHARDS - 1),
        metavar="NUMBER",
        help="Batches of this shard.",
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
@limit_option("Entries")
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
        _print_entries(entries)
        print_left_out(len(entries), more)


async def _find(
    settings: Settings, selection: EntrySelection, limit: int
) -> tuple[list[LogEntry], int]:
    """Return the newest entries of a selection, and how many more it has."""
    async with open_database(settings, "batching-demo batches") as engine:
        entries = await find_entries(engine, selection, limit)
        count_all = partial(count_entries, engine, selection)
        return entries, await left_out(len(entries), limit, count_all)


def _print_entries(entries: Sequence[LogEntry]) -> None:
    table = new_table()
    for name in TEXTS:
        table.add_column(name, overflow="fold")
    for name in NUMBERS:
        table.add_column(name, justify="right")
    for name in ("written at, UTC", "worker"):
        table.add_column(name, no_wrap=True)
    print_table(table, map(_cells, entries))


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
    yield shown_time(entry.written_at)
    yield terminal_safe(entry.worker)


def _as_json(entry: LogEntry) -> dict[str, Any]:
    return {
        **asdict(entry),
        "batch_id": str(entry.batch_id),
        "written_at": entry.written_at.isoformat(),
    }
