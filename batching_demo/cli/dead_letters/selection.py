"""Which dead letters a command is about."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import click
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.database.dead_letter_queries import (
    Selection,
    Status,
    StoredDeadLetter,
    find_dead_letters,
)
from batching_demo.database.engine import create_engine
from batching_demo.database.errors import database_errors
from batching_demo.settings import Settings

LARGEST_ID = 2**63 - 1
Command = TypeVar("Command", bound=Callable[..., Any])


def selecting(command: Command) -> Command:
    """Declare how letters are selected."""
    for declare in (
        click.option("--reason", metavar="CODE", help="Letters of this reason."),
        click.option("--source", metavar="NAME", help="Letters of this source."),
        click.argument("ids", nargs=-1, type=click.IntRange(1, LARGEST_ID), metavar="[ID]..."),
    ):
        command = declare(command)
    return command


def selection_of(
    ids: Sequence[int], source: str | None, reason: str | None, status: Status | None
) -> Selection:
    """Select by id, whatever a letter's status, or by the other criteria."""
    if ids and (source is not None or reason is not None):
        raise click.UsageError("give either ids, or --source and --reason")
    if ids:
        return Selection(ids=tuple(dict.fromkeys(ids)))
    return Selection(source=source, reason=reason, status=status)


def required_selection(
    ids: Sequence[int], source: str | None, reason: str | None, status: Status | None
) -> Selection:
    """Select, but never everything by saying nothing."""
    if not ids and source is None and reason is None:
        raise click.UsageError("say which letters: ids, --source NAME or --reason CODE")
    return selection_of(ids, source, reason, status)


@asynccontextmanager
async def letters_database(settings: Settings) -> AsyncIterator[AsyncEngine]:
    """Open the database of the settings."""
    engine = create_engine(
        settings.required_database_url, application_name="batching-demo dead-letters"
    )
    try:
        with database_errors():
            yield engine
    finally:
        await engine.dispose()


async def selected(
    engine: AsyncEngine, selection: Selection, limit: int | None = None
) -> list[StoredDeadLetter]:
    """Find the letters of a selection.

    Raises:
        ClickException: there is no letter of one of the ids.
    """
    letters = await find_dead_letters(engine, selection, limit)
    if unknown := set(selection.ids) - {letter.id for letter in letters}:
        await _refuse_unknown(engine, sorted(unknown))
    return letters


async def selected_or_said(
    engine: AsyncEngine, selection: Selection, *, quiet: bool
) -> list[StoredDeadLetter]:
    """Find the letters of a selection; print a line if there are none."""
    letters = await selected(engine, selection)
    if not letters and not quiet:
        click.echo(f"no {describe(selection)}")
    return letters


async def _refuse_unknown(engine: AsyncEngine, ids: Sequence[int]) -> None:
    """Name the ids that no letter has; a limit may have hidden some that one has."""
    known = {letter.id for letter in await find_dead_letters(engine, Selection(ids=tuple(ids)))}
    if unknown := [str(one) for one in ids if one not in known]:
        raise click.ClickException(
            f"no dead letter {', '.join(unknown)}:"
            " `batching-demo dead-letters list --status all` shows those there are"
        )


def describe(selection: Selection) -> str:
    """Say what a selection that is not by id selects."""
    words = [
        *([selection.status.value] if selection.status else []),
        "dead letters",
        *([f"of source {selection.source}"] if selection.source is not None else []),
        *([f"of reason {selection.reason}"] if selection.reason is not None else []),
    ]
    return " ".join(words)
