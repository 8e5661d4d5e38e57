"""`batching-demo dead-letters list`: a line for each dead letter."""

import asyncio
from functools import partial

import click

from batching_demo.cli import options
from batching_demo.cli.dead_letters.printing import letter_as_json, print_json, print_letters
from batching_demo.cli.dead_letters.selection import (
    SelectionOptions,
    dead_letters_database,
    find_selected,
    no_letters,
    selection_options,
)
from batching_demo.cli.listing import left_out, limit_option, print_left_out
from batching_demo.database.dead_letters.queries import (
    Selection,
    Status,
    StoredDeadLetter,
    count_dead_letters,
)
from batching_demo.settings import Settings

ALL = "all"


@click.command("list")
@selection_options
@options.option(
    "--status",
    type=click.Choice([*(status.value for status in Status), ALL]),
    default=Status.OPEN.value,
    help="Dead letters in this state; ignored where ids are given.",
)
@limit_option("Dead letters")
@options.as_json
@click.pass_obj
def list_command(
    settings: Settings, chosen: SelectionOptions, status: str, limit: int, as_json: bool
) -> None:
    """List dead letters without their records, the oldest first.

    \b
    Examples:
      batching-demo dead-letters list
      batching-demo dead-letters list --source orders.ndjson --reason conflict --status all
    """
    selection = chosen.select(None if status == ALL else Status(status))
    letters, more = asyncio.run(_find(settings, selection, limit))
    if as_json:
        print_json([letter_as_json(letter) for letter in letters], more=more)
        return
    if not letters:
        click.echo(no_letters(selection))
        return
    print_letters(letters, with_status=selection.status is None)
    print_left_out(len(letters), more)


async def _find(
    settings: Settings, selection: Selection, limit: int
) -> tuple[list[StoredDeadLetter], int]:
    """Return the first dead letters of a selection, and how many more it has."""
    async with dead_letters_database(settings) as engine:
        letters = await find_selected(engine, selection, limit)
        count_all = partial(count_dead_letters, engine, selection)
        return letters, await left_out(len(letters), limit, count_all)
