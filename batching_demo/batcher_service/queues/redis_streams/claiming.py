"""Claim the entries of consumers that have died, and keep those that are held."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from batching_demo.batcher_service.queues.redis_streams.delivered import Delivered
from batching_demo.batcher_service.queues.redis_streams.membership import Membership
from batching_demo.batcher_service.queues.source import DELIVERIES_TOGETHER

LOOKED_AT = 1_000
"""Pending entries that one look for those of dead consumers returns."""


async def look(member: Membership, held: Collection[str]) -> tuple[dict[str, int], dict[str, int]]:
    """Return the entries that may be claimed, those to be written together and the suspects.

    Both have the number of deliveries so far, by id.

    Args:
        member: Of the group.
        held: What it holds.
    """
    client = await member.client()
    pending = await client.xpending_range(
        member.address.stream,
        member.options.group,
        min="-",
        max="+",
        count=LOOKED_AT,
        idle=int(member.options.claim_after_seconds * 1000),
    )
    together: dict[str, int] = {}
    suspects: dict[str, int] = {}
    for one in pending:
        entry_id, count = one["message_id"].decode(), one["times_delivered"]
        if entry_id not in held:
            (together if count < DELIVERIES_TOGETHER else suspects)[entry_id] = count
    return together, suspects


async def claim(member: Membership, counts: Mapping[str, int]) -> list[Delivered]:
    """Claim entries, unless others were faster.

    Args:
        member: Of the group.
        counts: How often each has been delivered so far, by id.
    """
    if not counts:
        return []
    client = await member.client()
    entries = await client.xclaim(
        member.address.stream,
        member.options.group,
        member.name,
        min_idle_time=int(member.options.claim_after_seconds * 1000),
        message_ids=list(counts),
    )
    claimed = [
        Delivered(entry_id, fields, counts[entry_id.decode()] + 1)
        for entry_id, fields in entries
        # Redis 6.2 returns nothing in place of an entry that somebody has deleted.
        if entry_id is not None
    ]
    if len(claimed) < len(counts):
        await _forget_deleted(member, counts.keys() - {one.entry_id.decode() for one in claimed})
    return claimed


async def _forget_deleted(member: Membership, ids: set[str]) -> None:
    """Ack the entries that are deleted: Redis 6.2 keeps them pending for ever."""
    stream, client = member.address.stream, await member.client()
    gone = [one for one in sorted(ids) if not await client.xrange(stream, one, one)]
    if gone:
        await client.xack(stream, member.options.group, *gone)


async def give_back(
    member: Membership, deliveries: Mapping[str, int], *, at_once: bool = True
) -> None:
    """Take back the delivery of held entries to this consumer, so that it does not count.

    A first one stays: the next delivery has to be known for one that may be a repetition.

    Args:
        member: Of the group.
        deliveries: How often each has been delivered, this time included, by id.
        at_once: Whether they may be claimed at once.
    """
    by_deliveries: dict[int, list[str]] = {}
    for one, number in sorted(deliveries.items()):
        by_deliveries.setdefault(number, []).append(one)
    idle = int(member.options.claim_after_seconds * 1000) if at_once else 0
    for number, ids in by_deliveries.items():
        await claim_to_itself(member, ids, idle=idle, retrycount=max(number - 1, 1))


async def claim_to_itself(member: Membership, ids: Sequence[str], **options: int) -> None:
    """Claim held entries, which counts as no delivery.

    Args:
        member: Of the group.
        ids: Those of the entries.
        options: Of XCLAIM; without any, nobody else may claim them for a while.
    """
    if not ids:
        return
    client: Any = await member.client()
    await client.xclaim(
        member.address.stream,
        member.options.group,
        member.name,
        min_idle_time=0,
        message_ids=ids,
        justid=True,
        **{"idle": 0, **options},
    )
