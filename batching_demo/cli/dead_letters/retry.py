"""`batching-demo dead-letters retry`: submit the records of dead letters once more."""

import asyncio
from dataclasses import dataclass
from typing import IO

import click
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.batcher_service.retry.record import RetryRefusedError, record_again
from batching_demo.cli import options
from batching_demo.cli.dead_letters.edited_payload import PayloadFile, read_payload
from batching_demo.cli.dead_letters.printing import print_json
from batching_demo.cli.dead_letters.retried import RetriedLetter, retry_exit_code, retry_summary
from batching_demo.cli.dead_letters.selection import (
    SelectionOptions,
    dead_letters_database,
    find_selected,
    no_letters,
    selection_options,
)
from batching_demo.cli.servers import name_servers
from batching_demo.concurrency import map_some_at_once
from batching_demo.contracts.names import BATCHER_TASK_QUEUE, COMMON_SHARD
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.contracts.retries import RetryInput
from batching_demo.database.dead_letters.queries import (
    Selection,
    Status,
    StoredDeadLetter,
    read_dead_letter,
)
from batching_demo.database.identity import read_identity
from batching_demo.operator import shards
from batching_demo.operator.identity import check_database
from batching_demo.operator.retries import (
    RetryFailedError,
    RetryRequest,
    retry_dead_letter,
)
from batching_demo.settings import Settings
from batching_demo.temporal.connecting import connect
from batching_demo.temporal.pollers import find_worker_problem

AT_ONCE = 100
"""As many as one batch of the default size takes."""


@click.command()
@selection_options
@options.option(
    "--edit",
    type=PayloadFile(),
    metavar="FILE",
    help="Submit the JSON object in this file instead; - is standard input. [default: the record"
    " as it was kept]",
)
@options.option(
    "--key",
    metavar="TEXT",
    help="Submit it under this idempotency key. [default: the key as it was kept]",
)
@options.as_json
@click.pass_obj
def retry(
    settings: Settings,
    chosen: SelectionOptions,
    edit: IO[bytes] | None,
    key: str | None,
    as_json: bool,
) -> None:
    """Submit the records of dead letters once more.

    It waits for their verdicts. By --source, --reason or --target it takes open ones. --edit and
    --key are for one dead letter at a time. If a record is refused again, its dead letter stays
    open. If you interrupt this command, the retries go on; the same command waits for them.

    \b
    Examples:
      batching-demo dead-letters retry --reason refused_by_postgres
      batching-demo dead-letters retry 17 --edit corrected.json --key order-17
    """
    selection = chosen.select_some()
    if (edit or key is not None) and len(selection.ids) != 1:
        raise click.UsageError("--edit and --key are for one dead letter, named by its id")
    edited = read_payload(edit) if edit else None
    name_servers(settings)
    run = _Run(edited, key, quiet=as_json)
    retried = asyncio.run(run.retry_all(settings, selection))
    if as_json:
        print_json([one.as_json() for one in retried])
    elif not retried:
        click.echo(no_letters(selection))
    elif len(retried) > 1:
        click.echo(retry_summary(retried))
    raise SystemExit(retry_exit_code(retried))


@dataclass(frozen=True)
class _Run:
    """One call of the command; prints the result of each retry as soon as it is known."""

    edited: str | None
    key: str | None
    quiet: bool

    async def retry_all(self, settings: Settings, selection: Selection) -> list[RetriedLetter]:
        """Retry dead letters, many at a time so that they share batches."""
        async with dead_letters_database(settings) as engine:
            letters = await find_selected(engine, selection)
            not_submitted = {letter.id: await self._check(engine, letter) for letter in letters}
            database = await read_identity(engine)
        if all(not_submitted.values()):
            return [one for one in not_submitted.values() if one]
        client = await connect(settings)
        await check_database(client, database)
        linger = await _linger_of_batcher(client)

        async def retry_one(letter: StoredDeadLetter) -> RetriedLetter:
            return not_submitted[letter.id] or await self._retry(client, letter, linger, database)

        return await map_some_at_once(retry_one, letters, at_once=AT_ONCE)

    async def _check(self, engine: AsyncEngine, letter: StoredDeadLetter) -> RetriedLetter | None:
        """Return why a dead letter is not submitted, before any workflow starts; None if it is."""
        found = await read_dead_letter(engine, letter.id)
        if letter.status == Status.RETRIED:
            return self._report(RetriedLetter(letter))
        if found is None:
            refused = f"dead letter {letter.id} was deleted"
            return self._report(RetriedLetter(letter, refused=refused))
        try:
            record_again(*found, key=self.key, edited=self.edited)
        except RetryRefusedError as refusal:
            return self._report(RetriedLetter(letter, refused=str(refusal)))
        return None

    async def _retry(
        self, client: Client, letter: StoredDeadLetter, linger: float, database: str
    ) -> RetriedLetter:
        retry_input = RetryInput(letter.id, letter.attempts + 1, linger, self.key, database)
        edited = (self.edited or "").encode()
        try:
            result = await retry_dead_letter(client, RetryRequest(retry_input, edited))
        except RetryFailedError as error:
            failed = f"dead letter {letter.id}: {error}"
            return self._report(RetriedLetter(letter, failed=failed))
        return self._report(RetriedLetter(letter, result))

    def _report(self, retried: RetriedLetter) -> RetriedLetter:
        if retried.error:
            click.echo(f"Error: {retried.error}", err=True)
        elif not self.quiet:
            click.echo(retried.line)
        return retried


async def _linger_of_batcher(client: Client) -> float:
    """Read how long the batcher lets records wait; warn if it or its worker does not run."""
    if problem := await find_worker_problem(client, BATCHER_TASK_QUEUE):
        click.echo(f"waiting for a worker: {problem}", err=True)
    try:
        return (await shards.describe(client, COMMON_SHARD)).settings.linger_seconds
    except shards.ShardMissingError:
        click.echo(
            "no batcher runs; waiting for it: start it with `batching-demo batcher start`", err=True
        )
        return BatcherSettings.linger_seconds
