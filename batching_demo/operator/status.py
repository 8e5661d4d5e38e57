"""All that is known of one shard: what Temporal says, and what its batcher answers."""

import asyncio
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from temporalio.client import Client

from batching_demo.contracts.counts import count
from batching_demo.contracts.messages import shown_verdicts
from batching_demo.contracts.names import batcher_workflow_id
from batching_demo.contracts.operations import BatcherSettings, BatcherStatus
from batching_demo.operator.failing_task import describe_failing_task
from batching_demo.operator.requests import NoWorkerError, ask_status
from batching_demo.operator.shards import (
    Described,
    ShardMissingError,
    ShardPausedError,
    chosen_shards,
    describe,
)
from batching_demo.temporal.deployment import name_version


@dataclass(frozen=True)
class Overview:
    """One shard. Without `described` it does not run, without `status` no worker answers."""

    shard: int
    described: Described | None = None
    status: BatcherStatus | None = None
    problem: str = ""
    """What keeps the rest from being known, and what to do."""
    failing_task: str = ""
    """Why its workflow task fails again and again, and what to do; empty if it does not."""

    @property
    def wrong(self) -> str:
        """What to mend first: a batcher whose task fails does not answer because of that."""
        return self.failing_task or self.problem

    def as_json(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {
            "workflow_id": batcher_workflow_id(self.shard),
            "is_running": self.described is not None,
            "problem": self.problem or None,
            "failing_task": self.failing_task or None,
            "run": asdict(self.described) if self.described else None,
            "status": asdict(self.status) if self.status else None,
        }


async def overview(client: Client, shard: int | None) -> list[Overview]:
    """Return the chosen shard, or all."""
    shards = await chosen_shards(client, shard)
    return list(await asyncio.gather(*(_look_at(client, one) for one in shards)))


async def _look_at(client: Client, shard: int) -> Overview:
    try:
        described = await describe(client, shard)
    except ShardMissingError as error:
        return Overview(shard, problem=str(error))
    failing_task = await describe_failing_task(client, described)
    try:
        status = await ask_status(client, shard)
    except (NoWorkerError, ShardMissingError, ShardPausedError) as error:
        return Overview(shard, described, problem=str(error), failing_task=failing_task)
    return Overview(shard, described, status, failing_task=failing_task)


def lines(found: Overview, now: float) -> Iterator[tuple[str, str]]:
    """Yield labelled lines about a shard, the first of them its name."""
    name, described, status = batcher_workflow_id(found.shard), found.described, found.status
    yield name, mode(found, now)
    if described is None:
        return
    if status:
        yield from _work(status, now)
    policy = status.settings if status else described.settings
    yield (
        "flushes at",
        f"{count(policy.max_records, 'record')}, {count(policy.max_bytes, 'byte')}, or after"
        f" {policy.linger_seconds:g} s{_budget(policy)};"
        f" {count(policy.max_in_flight, 'write')} at a time",
    )
    events = count(described.history_events, "event")
    pinned = f", pinned to {name_version(described.version)}" if described.version else ""
    yield "run", f"{described.run_id}, {events}{pinned}"
    if status and status.last_error:
        times = f", {count(status.consecutive_failures, 'time')} in a row"
        yield "error", status.last_error + (times if status.consecutive_failures else "")
    if found.failing_task:
        yield "error", found.failing_task


def _budget(policy: BatcherSettings) -> str:
    rate = policy.max_writes_per_second
    return f", or when a budget of {rate:g} writes a second allows it" if rate else ""


def mode(found: Overview, now: float) -> str:
    """Return whether a batcher runs and answers, and if so its mode."""
    if found.described is None:
        return "does not run"
    if found.described.is_paused:
        return "paused in Temporal"
    if (status := found.status) is None:
        return "runs, but no worker answers"
    for_how_long = f" for {age(now - status.mode_since)}" if status.mode_since else ""
    if status.mode == "draining" and not status.open_records:
        return f"drained, closed{for_how_long}"
    return f"{status.mode}{for_how_long}"


def _work(status: BatcherStatus, now: float) -> Iterator[tuple[str, str]]:
    oldest = f", the oldest for {age(now - status.oldest_at)}" if status.oldest_at else ""
    records, size = count(status.buffered_records, "record"), count(status.buffered_bytes, "byte")
    yield "waiting", f"{records}, {size}{oldest}"
    in_flight = count(status.in_flight, "batch")
    yield "in flight", f"{in_flight}, {count(status.in_flight_records, 'record')}"
    totals = status.totals
    verdicts = shown_verdicts(totals.verdicts)
    yield "verdicts", ", ".join(f"{number:,} {name}" for name, number in verdicts.items())
    batches = (f"{number:,} by {reason}" for reason, number in sorted(totals.batches.items()))
    yield "batches", ", ".join(batches) or "none yet"
    if totals.turned_away:
        yield (
            "busy",
            f"{count(totals.turned_away, 'time')} answered, {status.backlog:,} in the backlog",
        )


def age(seconds: float) -> str:
    """Return a length of time; clocks may differ a little, so it is never negative."""
    seconds = max(0.0, seconds)
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.1f} h"
