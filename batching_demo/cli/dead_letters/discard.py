"""`batching-demo dead-letters discard`: give dead letters up."""

import asyncio

import click

from batching_demo.cli import options
from batching_demo.cli.dead_letters.printing import print_json
from batching_demo.cli.dead_letters.selection import (
    letters_database,
    required_selection,
    selected_or_said,
    selecting,
)
from batching_demo.database.dead_letter_queries import (
    Selection,
    Status,
    StoredDeadLetter,
    discard_dead_letters,
)
from batching_demo.settings import Settings


@click.command()
@selecting
@options.as_json
@click.pass_obj
def discard(
    settings: Settings, ids: tuple[int, ...], source: str | None, reason: str | None, as_json: bool
) -> None:
    """Give open letters up: they are kept, but nobody is asked to settle them.

    \b
    Examples:
      batching-demo dead-letters discard 17 18
      batching-demo dead-letters discard --source orders.ndjson --reason invalid_json
    """
    selection = required_selection(ids, source, reason, Status.OPEN)
    asyncio.run(_discard(settings, selection, as_json=as_json))


async def _discard(settings: Settings, selection: Selection, *, as_json: bool) -> None:
    async with letters_database(settings) as engine:
        before = await selected_or_said(engine, selection, quiet=as_json)
        discarded = set(await discard_dead_letters(engine, [letter.id for letter in before]))
    if as_json:
        print_json([_discarded(letter, letter.id in discarded) for letter in before])
        return
    for letter in before:
        if letter.id in discarded:
            click.echo(f"letter {letter.id}: discarded")
        else:
            click.echo(f"letter {letter.id}: is {letter.status} already, and stays so")


def _discarded(letter: StoredDeadLetter, changed: bool) -> dict[str, object]:
    status = Status.DISCARDED.value if changed else letter.status
    return {"id": letter.id, "status": status, "changed": changed}
