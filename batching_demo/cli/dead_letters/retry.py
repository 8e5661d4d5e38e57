"""`batching-demo dead-letters retry`: submit records that could not be stored once more."""

import asyncio
from dataclasses import dataclass
from typing import IO

import click
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.batcher_service.retry.record import RetryRefusedError, record_again
from batching_demo.cli import options
from batching_demo.cli.dead_letters.edited_payload import read_payload
from batching_demo.cli.dead_letters.printing import print_json
from batching_demo.cli.dead_letters.retried import RetriedLetter, exit_code, summary
from batching_demo.cli.dead_letters.selection import (
    describe,
    letters_database,
    required_selection,
    selected,
    selecting,
)
from batching_demo.contracts.names import BATCHER_TASK_QUEUE, COMMON_SHARD
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.contracts.retries import RetryInput
from batching_demo.database.dead_letter_queries import (
    Selection,
    Status,
    StoredDeadLetter,
    read_dead_letter,
)
from batching_demo.operator import shards
from batching_demo.operator.retries import RetryFailedError, RetryRequest, retry_dead_letter
from batching_demo.settings import Settings
from batching_demo.temporal import connect, has_pollers

AT_ONCE = 100
"""As many as one batch of the default size takes."""


@click.command()
@selecting
@click.option(
    "--edit",
    type=click.File("rb"),
    metavar="FILE",
    help="Submit the JSON object of this file in place of the record; - is standard input.",
)
@click.option("--key", metavar="TEXT", help="Submit it under this idempotency key.")
@options.as_json
@click.pass_obj
def retry(
    settings: Settings,
    ids: tuple[int, ...],
    source: str | None,
    reason: str | None,
    edit: IO[bytes] | None,
    key: str | None,
    as_json: bool,
) -> None:
    """Submit the records of letters once more, and wait for their verdicts.

    By source or reason it takes open letters. --edit and --key are for one letter at a time. A
    record that is refused again leaves its letter open; interrupted, run it again to wait on.

    \b
    Examples:
      batching-demo dead-letters retry --reason refused_by_postgres
      batching-demo dead-letters retry 17 --edit corrected.json --key order-17
    """
    selection = required_selection(ids, source, reason, Status.OPEN)
    if (edit or key is not None) and len(selection.ids) != 1:
        raise click.UsageError("--edit and --key are for one letter, named by its id")
    edited = read_payload(edit) if edit else None
    run = _Run(edited, key, quiet=as_json)
    outcomes = asyncio.run(run.outcomes(settings, selection))
    if as_json:
        print_json([outcome.as_json() for outcome in outcomes])
    elif not outcomes:
        click.echo(f"no {describe(selection)}")
    elif len(outcomes) > 1:
        click.echo(summary(outcomes))
    raise SystemExit(exit_code(outcomes))


@dataclass(frozen=True)
class _Run:
    """One call of the command; each outcome is printed when it is known."""

    edited: str | None
    key: str | None
    quiet: bool

    async def outcomes(self, settings: Settings, selection: Selection) -> list[RetriedLetter]:
        """Retry letters, many at a time so that they share batches."""
        async with letters_database(settings) as engine:
            letters = await selected(engine, selection)
            settled = {letter.id: await self._check(engine, letter) for letter in letters}
        if all(settled.values()):
            return [outcome for outcome in settled.values() if outcome]
        client = await connect(settings)
        linger = await _linger_of_batcher(client)
        turn = asyncio.Semaphore(AT_ONCE)

        async def outcome_of(letter: StoredDeadLetter) -> RetriedLetter:
            if outcome := settled[letter.id]:
                return outcome
            async with turn:
                return await self._retry(client, letter, linger)

        return await asyncio.gather(*map(outcome_of, letters))

    async def _check(self, engine: AsyncEngine, letter: StoredDeadLetter) -> RetriedLetter | None:
        """Find out, before any workflow is started, whether a letter can be submitted."""
        found = await read_dead_letter(engine, letter.id)
        if letter.status == Status.RETRIED:
            return self._report(RetriedLetter(letter))
        if found is None:
            return self._report(RetriedLetter(letter, refused=f"letter {letter.id} was deleted"))
        try:
            record_again(*found, key=self.key, edited=self.edited)
        except RetryRefusedError as refusal:
            return self._report(RetriedLetter(letter, refused=str(refusal)))
        return None

    async def _retry(
        self, client: Client, letter: StoredDeadLetter, linger: float
    ) -> RetriedLetter:
        retry_input = RetryInput(letter.id, letter.attempts + 1, linger, self.key)
        edited = (self.edited or "").encode()
        try:
            result = await retry_dead_letter(client, RetryRequest(retry_input, edited))
        except RetryFailedError as error:
            return self._report(RetriedLetter(letter, failed=f"letter {letter.id}: {error}"))
        return self._report(RetriedLetter(letter, result))

    def _report(self, outcome: RetriedLetter) -> RetriedLetter:
        if outcome.error:
            click.echo(f"Error: {outcome.error}", err=True)
        elif not self.quiet:
            click.echo(outcome.line)
        return outcome


async def _linger_of_batcher(client: Client) -> float:
    """Ask how long it lets records wait; warn of what is missing, which the retries wait for."""
    if not await has_pollers(client, BATCHER_TASK_QUEUE):
        click.echo(
            f"no worker polls {BATCHER_TASK_QUEUE}; waiting for one:"
            " start it with `batching-demo batcher worker`",
            err=True,
        )
    try:
        return (await shards.describe(client, COMMON_SHARD)).settings.linger_seconds
    except shards.ShardMissingError:
        click.echo(
            "no batcher runs; waiting for it: start it with `batching-demo batcher start`", err=True
        )
        return BatcherSettings().linger_seconds
