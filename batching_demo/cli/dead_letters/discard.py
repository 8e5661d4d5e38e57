"""`batching-demo dead-letters discard`: close dead letters without a retry."""

import asyncio

import click

from batching_demo.cli import options
from batching_demo.cli.dead_letters.printing import print_json
from batching_demo.cli.dead_letters.selection import (
    SelectionOptions,
    dead_letters_database,
    find_selected_or_print_none,
    selection_options,
)
from batching_demo.cli.servers import name_database
from batching_demo.database.dead_letters.queries import (
    Selection,
    Status,
    StoredDeadLetter,
    discard_dead_letters,
)
from batching_demo.settings import Settings


@click.command()
@selection_options
@options.as_json
@click.pass_obj
def discard(settings: Settings, chosen: SelectionOptions, as_json: bool) -> None:
    """Close open dead letters without storing them. They stay in the table.

    A discarded one can still be retried by its id.

    \b
    Examples:
      batching-demo dead-letters discard 17 18
      batching-demo dead-letters discard --source orders.ndjson --reason invalid_json
    """
    selection = chosen.select_some()
    name_database(settings)
    asyncio.run(_discard(settings, selection, as_json=as_json))


async def _discard(settings: Settings, selection: Selection, *, as_json: bool) -> None:
    async with dead_letters_database(settings) as engine:
        before = await find_selected_or_print_none(engine, selection, quiet=as_json)
        discarded = set(await discard_dead_letters(engine, [letter.id for letter in before]))
    if as_json:
        print_json([_as_json(letter, letter.id in discarded) for letter in before])
        return
    for letter in before:
        if letter.id in discarded:
            click.echo(f"dead letter {letter.id}: discarded")
        else:
            click.echo(f"dead letter {letter.id}: is {letter.status} already, and stays so")


def _as_json(letter: StoredDeadLetter, changed: bool) -> dict[str, object]:
    status = Status.DISCARDED.value if changed else letter.status
    return {"id": letter.id, "status": status, "changed": changed}
