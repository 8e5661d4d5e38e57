"""The settings of batchers that a starter needs: given by the user, or read from those that run.

A running batcher keeps its settings in its workflow's memo, so no worker is asked.
"""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

import click
from temporalio.client import Client

from batching_demo.cli import options
from batching_demo.cli.batcher import settings_options
from batching_demo.contracts.counts import count
from batching_demo.contracts.names import WritePath, batcher_workflow_id
from batching_demo.contracts.operations import BatcherSettings, Changes
from batching_demo.core.control import apply_changes
from batching_demo.main_service.messages import RunOptions
from batching_demo.operator.identity import IdentityError, ask_identity, describe_obstacle
from batching_demo.operator.requests import START_WORKER
from batching_demo.operator.shards import Described, ShardMissingError, describe, running_shards

QUIET_SECONDS = 3.0
"""So long a batcher worker may take to answer before it is said that it is waited for."""
_OF_THOSE_THAT_RUN = "[default: the running batchers']"


@dataclass(frozen=True)
class BatcherOptions:
    """What the user says of the batchers; None leaves it to those that run."""

    max_records: int | None = None
    shards: int | None = None
    linger_seconds: float | None = None
    max_writes_per_second: float | None = None


_of_batchers = (
    settings_options.max_records(note=_OF_THOSE_THAT_RUN),
    settings_options.shards(note=_OF_THOSE_THAT_RUN),
    settings_options.linger(note=_OF_THOSE_THAT_RUN),
)
batcher_options = options.as_one("batchers", BatcherOptions, *_of_batchers)
compared_batcher_options = options.as_one(
    "batchers",
    BatcherOptions,
    *_of_batchers,
    settings_options.max_writes_per_second(note=_OF_THOSE_THAT_RUN),
)
"""With what only matters to whoever starts batchers, or shows what they do."""


@dataclass(frozen=True)
class Batchers:
    """The settings of batchers that a starter needs; by default, those of `batcher start`."""

    settings: BatcherSettings = field(default_factory=BatcherSettings)
    shards: int = RunOptions.shards


async def find_running(client: Client) -> list[Described]:
    """Describe the batchers that run."""
    found = []
    for shard in await running_shards(client):
        try:
            found.append(await describe(client, shard))
        except ShardMissingError:
            continue  # It has ended in between.
    return found


def choose(given: BatcherOptions, running: Sequence[Described]) -> Batchers:
    """Take what the user says, the rest from the running batchers, or else the defaults.

    Of batchers with different settings this takes the smallest batch, which all of them take
    whole, the longest linger, within which all of them answer, and the largest budget.
    """
    found = Batchers()
    if running:
        settings = BatcherSettings(
            max_records=min(one.settings.max_records for one in running),
            linger_seconds=max(one.settings.linger_seconds for one in running),
            max_writes_per_second=max(one.settings.max_writes_per_second for one in running),
        )
        found = Batchers(settings, _shards(running))
    changes = Changes(
        max_records=given.max_records,
        linger_seconds=given.linger_seconds,
        max_writes_per_second=given.max_writes_per_second,
    )
    return Batchers(apply_changes(found.settings, changes), given.shards or found.shards)


def differences(given: BatcherOptions, running: Sequence[Described]) -> Iterator[str]:
    """Name what the user says differently from the batchers, each with the first that differs."""
    for one in running:
        if given.linger_seconds not in (None, one.settings.linger_seconds):
            name, linger = batcher_workflow_id(one.shard), one.settings.linger_seconds
            yield f"{name} lingers {linger:g} s, not {given.linger_seconds:g}"
            break
    for one in running:
        if given.max_writes_per_second not in (None, one.settings.max_writes_per_second):
            name, budget = batcher_workflow_id(one.shard), one.settings.max_writes_per_second
            yield f"{name} has a write budget of {budget:g}, not {given.max_writes_per_second:g}"
            break
    for one in running:
        if given.max_records not in (None, one.settings.max_records):
            name, records = batcher_workflow_id(one.shard), one.settings.max_records
            yield f"{name} takes {count(records, 'record')} a batch, not {given.max_records}"
            break
    if running and given.shards not in (None, _shards(running)):
        yield f"batchers run for --shards {_shards(running)}, not {given.shards}"


async def choose_for_paths(
    client: Client, given: BatcherOptions, paths: Collection[str]
) -> Batchers:
    """Choose for runs on these write paths; only the batched path asks what runs.

    One line on standard error names what the user says differently from the running batchers.
    """
    running = await find_running(client) if WritePath.BATCHED in paths else []
    if different := "; ".join(differences(given, running)):
        click.echo(different, err=True)
    return choose(given, running)


async def ask_database(client: Client, *, seconds: float | None) -> str:
    """Ask a batcher worker for the identity of its database, and print that it is waited for.

    Args:
        client: Of the namespace.
        seconds: How long to wait; None waits until a worker answers.

    Raises:
        IdentityError: None answered, or it does not write to the namespace's database.
    """
    asking = asyncio.create_task(ask_identity(client))
    await asyncio.wait({asking}, timeout=QUIET_SECONDS)
    if not asking.done():
        waiting = f"waiting for a batcher worker, which knows the database: {START_WORKER}"
        click.echo(await describe_obstacle(client) or waiting, err=True)
        await asyncio.wait({asking}, timeout=seconds)
    if not asking.done():
        asking.cancel()
        obstacle = await describe_obstacle(client)
        raise IdentityError(obstacle or f"no batcher worker answered: {START_WORKER}")
    return await asking


def _shards(running: Sequence[Described]) -> int:
    return max(one.shard for one in running) + 1
