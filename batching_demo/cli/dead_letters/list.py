"""`batching-demo dead-letters list`: a line for each dead letter."""

import asyncio

import click

from batching_demo.cli import options
from batching_demo.cli.dead_letters.printing import as_json as letter_json
from batching_demo.cli.dead_letters.printing import print_json, print_table
from batching_demo.cli.dead_letters.selection import (
    describe,
    letters_database,
    selected,
    selecting,
    selection_of,
)
from batching_demo.database.dead_letter_queries import (
    Selection,
    Status,
    StoredDeadLetter,
    count_dead_letters,
)
from batching_demo.settings import Settings

DEFAULT_LIMIT = 50
ALL = "all"


@click.command("list")
@selecting
@click.option(
    "--status",
    type=click.Choice([*(status.value for status in Status), ALL]),
    default=Status.OPEN.value,
    show_default=True,
    help="Letters in this state, where no ids are given.",
)
@options.option(
    "--limit",
    type=click.IntRange(min=1),
    default=DEFAULT_LIMIT,
    help="Letters to list, at most.",
)
@options.as_json
@click.pass_obj
def list_command(
    settings: Settings,
    ids: tuple[int, ...],
    source: str | None,
    reason: str | None,
    status: str,
    limit: int,
    as_json: bool,
) -> None:
    """List letters without what they hold, the oldest first.

    \b
    Examples:
      batching-demo dead-letters list
      batching-demo dead-letters list --source orders.ndjson --reason conflict --status all
    """
    selection = selection_of(ids, source, reason, None if status == ALL else Status(status))
    letters, more = asyncio.run(_list(settings, selection, limit))
    if as_json:
        print_json([letter_json(letter) for letter in letters], more=more)
        return
    if not letters:
        click.echo(f"no {describe(selection)}")
        return
    print_table(letters, with_status=selection.status is None)
    if more:
        total = len(letters) + more
        click.echo(f"{len(letters)} of {total}; --limit {total} shows {more} more")


async def _list(
    settings: Settings, selection: Selection, limit: int
) -> tuple[list[StoredDeadLetter], int]:
    async with letters_database(settings) as engine:
        letters = await selected(engine, selection, limit)
        if len(letters) < limit:
            return letters, 0
        return letters, max(0, await count_dead_letters(engine, selection) - len(letters))
