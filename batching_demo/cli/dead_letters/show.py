"""`batching-demo dead-letters show`: everything of a dead letter."""

import asyncio

import click

from batching_demo.cli import options
from batching_demo.cli.dead_letters.printing import letter_as_json, print_json, print_letter
from batching_demo.cli.dead_letters.selection import (
    SelectionOptions,
    dead_letters_database,
    find_selected_or_print_none,
    selection_options,
)
from batching_demo.database.dead_letters.queries import Selection, read_dead_letter
from batching_demo.settings import Settings


@click.command()
@selection_options
@options.as_json
@click.pass_obj
def show(settings: Settings, chosen: SelectionOptions, as_json: bool) -> None:
    """Show everything of dead letters, with their records.

    By --source, --reason or --target it shows open ones. Records are kept in ASCII: other
    characters appear as JSON escapes them.

    \b
    Example: batching-demo dead-letters show 17
    """
    asyncio.run(_show(settings, chosen.select_some(), as_json=as_json))


async def _show(settings: Settings, selection: Selection, *, as_json: bool) -> None:
    shown = []
    async with dead_letters_database(settings) as engine:
        for letter in await find_selected_or_print_none(engine, selection, quiet=as_json):
            found = await read_dead_letter(engine, letter.id)
            if found is None:
                continue
            if as_json:
                shown.append({**letter_as_json(found[0]), "record": found[1]})
            else:
                print_letter(*found)
    if as_json:
        print_json(shown)
