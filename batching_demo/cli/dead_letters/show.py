"""`batching-demo dead-letters show`: everything of a dead letter."""

import asyncio

import click

from batching_demo.cli import options
from batching_demo.cli.dead_letters.printing import as_json as letter_json
from batching_demo.cli.dead_letters.printing import print_json, print_letter
from batching_demo.cli.dead_letters.selection import (
    letters_database,
    required_selection,
    selected_or_said,
    selecting,
)
from batching_demo.database.dead_letter_queries import Selection, Status, read_dead_letter
from batching_demo.settings import Settings


@click.command()
@selecting
@options.as_json
@click.pass_obj
def show(
    settings: Settings, ids: tuple[int, ...], source: str | None, reason: str | None, as_json: bool
) -> None:
    """Show everything of letters, their records too; by source or reason, of open ones.

    Records are kept in ASCII, with other characters as JSON escapes them.

    \b
    Example: batching-demo dead-letters show 17
    """
    selection = required_selection(ids, source, reason, Status.OPEN)
    asyncio.run(_show(settings, selection, as_json=as_json))


async def _show(settings: Settings, selection: Selection, *, as_json: bool) -> None:
    shown = []
    async with letters_database(settings) as engine:
        for letter in await selected_or_said(engine, selection, quiet=as_json):
            found = await read_dead_letter(engine, letter.id)
            if found is None:
                continue
            if as_json:
                shown.append({**letter_json(found[0]), "record": found[1]})
            else:
                print_letter(*found)
    if as_json:
        print_json(shown)
