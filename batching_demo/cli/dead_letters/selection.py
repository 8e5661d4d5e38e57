"""The dead letters that a command is about."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import click
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.cli import options
from batching_demo.database.dead_letters.queries import (
    Selection,
    Status,
    StoredDeadLetter,
    find_dead_letters,
)
from batching_demo.database.opening import open_database
from batching_demo.settings import Settings

LARGEST_ID = 2**63 - 1


@dataclass(frozen=True)
class SelectionOptions:
    """What the user says of the dead letters to select."""

    ids: Sequence[int]
    source: str | None
    reason: str | None
    target: str | None

    @property
    def _has_criteria(self) -> bool:
        return (self.source, self.reason, self.target) != (None, None, None)

    def select(self, status: Status | None) -> Selection:
        """Select by id, whatever the status is, or by the other criteria.

        Raises:
            UsageError: Both are given.
        """
        if self.ids and self._has_criteria:
            raise click.UsageError("give either ids, or --source, --reason and --target")
        if self.ids:
            return Selection(ids=tuple(dict.fromkeys(self.ids)))
        return Selection(source=self.source, reason=self.reason, target=self.target, status=status)

    def select_some(self) -> Selection:
        """Select by id, or open ones by the other criteria, of which one has to be given.

        Raises:
            UsageError: Nothing is given; that never means everything.
        """
        if not self.ids and not self._has_criteria:
            raise click.UsageError(
                "name the dead letters: ids, --source NAME, --reason CODE or --target NAME"
            )
        return self.select(Status.OPEN)


selection_options = options.as_one(
    "chosen",
    SelectionOptions,
    click.argument("ids", nargs=-1, type=click.IntRange(1, LARGEST_ID), metavar="[ID]..."),
    options.option("--source", metavar="NAME", help="Dead letters of this source."),
    options.option("--reason", metavar="CODE", help="Dead letters with this reason."),
    options.option("--target", metavar="NAME", help="Dead letters for this target."),
    options.pooler,
)


def dead_letters_database(settings: Settings) -> AbstractAsyncContextManager[AsyncEngine]:
    """Open the database of the settings."""
    return open_database(settings, "batching-demo dead-letters")


async def find_selected(
    engine: AsyncEngine, selection: Selection, limit: int | None = None
) -> list[StoredDeadLetter]:
    """Find the dead letters of a selection.

    Raises:
        ClickException: One of the ids is the id of none.
    """
    letters = await find_dead_letters(engine, selection, limit)
    if missing := set(selection.ids) - {letter.id for letter in letters}:
        await _refuse_unknown(engine, sorted(missing))
    return letters


async def find_selected_or_print_none(
    engine: AsyncEngine, selection: Selection, *, quiet: bool
) -> list[StoredDeadLetter]:
    """Find the dead letters of a selection; print a line if there are none."""
    letters = await find_selected(engine, selection)
    if not letters and not quiet:
        click.echo(no_letters(selection))
    return letters


async def _refuse_unknown(engine: AsyncEngine, ids: Sequence[int]) -> None:
    """Refuse the ids that are of no dead letter; those that a limit left out are fine."""
    known = {letter.id for letter in await find_dead_letters(engine, Selection(ids=tuple(ids)))}
    if unknown := [str(one) for one in ids if one not in known]:
        raise click.ClickException(
            f"no dead letter {', '.join(unknown)}:"
            " `batching-demo dead-letters list --status all` shows all that there are"
        )


def no_letters(selection: Selection) -> str:
    """Format the line for a selection that selects nothing."""
    words = [
        "no",
        *([selection.status.value] if selection.status else []),
        "dead letters",
        *([f"of source {selection.source}"] if selection.source is not None else []),
        *([f"of reason {selection.reason}"] if selection.reason is not None else []),
        *([f"for target {selection.target}"] if selection.target is not None else []),
    ]
    return " ".join(words)
