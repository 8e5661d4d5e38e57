"""`batching-demo dead-letters`: look at what could not be stored, and settle it."""

import asyncio

import click
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.cli import options
from batching_demo.cli.dead_letters.output import as_json as letter_json
from batching_demo.cli.dead_letters.output import print_json, print_letter, print_table
from batching_demo.cli.dead_letters.retry import retry
from batching_demo.cli.dead_letters.selection import (
    describe,
    letters_database,
    required_selection,
    selected,
    selecting,
    selection_of,
)
from batching_demo.database.dead_letter_queries import (
    Letter,
    Selection,
    Status,
    count_letters,
    discard_letters,
    read_letter,
)
from batching_demo.settings import Settings

DEFAULT_LIMIT = 50
ALL = "all"


@click.group("dead-letters")
def dead_letters() -> None:
    """List, show, retry and discard records that could not be stored as they are.

    \b
    Example: batching-demo dead-letters list
    """


@dead_letters.command("list")
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
    variable="LIMIT",
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


async def _list(settings: Settings, selection: Selection, limit: int) -> tuple[list[Letter], int]:
    async with letters_database(settings) as engine:
        letters = await selected(engine, selection, limit)
        if len(letters) < limit:
            return letters, 0
        return letters, max(0, await count_letters(engine, selection) - len(letters))


@dead_letters.command()
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
        for letter in await _some(engine, selection, quiet=as_json):
            found = await read_letter(engine, letter.id)
            if found is None:
                continue
            if as_json:
                shown.append({**letter_json(found[0]), "record": found[1]})
            else:
                print_letter(*found)
    if as_json:
        print_json(shown)


async def _some(engine: AsyncEngine, selection: Selection, *, quiet: bool) -> list[Letter]:
    """Find letters; say so if there are none."""
    letters = await selected(engine, selection)
    if not letters and not quiet:
        click.echo(f"no {describe(selection)}")
    return letters


@dead_letters.command()
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
        before = await _some(engine, selection, quiet=as_json)
        discarded = set(await discard_letters(engine, [letter.id for letter in before]))
    if as_json:
        print_json([_discarded(letter, letter.id in discarded) for letter in before])
        return
    for letter in before:
        if letter.id in discarded:
            click.echo(f"letter {letter.id}: discarded")
        else:
            click.echo(f"letter {letter.id}: is {letter.status} already, and stays so")


def _discarded(letter: Letter, changed: bool) -> dict[str, object]:
    status = Status.DISCARDED.value if changed else letter.status
    return {"id": letter.id, "status": status, "changed": changed}


dead_letters.add_command(retry)
