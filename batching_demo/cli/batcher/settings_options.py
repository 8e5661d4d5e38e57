"""The options that are settings of batchers, and how many batchers there are."""

from typing import Any

import click

from batching_demo.cli import options
from batching_demo.contracts.limits import MAX_BATCH_BYTES, MAX_BATCH_RECORDS
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.core.control import MOST_WRITES_PER_SECOND


def max_records(note: str = "", **attributes: Any) -> options.Decorator[Any]:
    """Declare --max-records."""
    return options.option(
        "--max-records",
        type=click.IntRange(min=1, max=MAX_BATCH_RECORDS),
        help=f"Records in a batch, and in one submission, at most. {note}",
        **attributes,
    )


def max_bytes(**attributes: Any) -> options.Decorator[Any]:
    """Declare --max-bytes."""
    return options.option(
        "--max-bytes",
        type=click.IntRange(min=1, max=MAX_BATCH_BYTES),
        help="Encoded bytes in a batch, at most.",
        **attributes,
    )


def linger(note: str = "", **attributes: Any) -> options.Decorator[Any]:
    """Declare --linger."""
    return options.option(
        "--linger",
        "linger_seconds",
        type=options.Seconds(),
        help=f"Seconds that the oldest record may wait for its batch to fill. {note}",
        **attributes,
    )


def max_writes_per_second(note: str = "", **attributes: Any) -> options.Decorator[Any]:
    """Declare --max-writes-per-second."""
    return options.option(
        "--max-writes-per-second",
        type=options.NumberRange(min=0, max=MOST_WRITES_PER_SECOND),
        help="Write budget of a shard: a batch that is not full is written as soon as the budget"
        f" allows it, and waits for the linger at most. 0 is no budget. {note}",
        **attributes,
    )


def shards(note: str = "", **attributes: Any) -> options.Decorator[Any]:
    """Declare --shards."""
    return options.option(
        "--shards",
        type=click.IntRange(min=1, max=options.MOST_SHARDS),
        help=f"Batchers that share the load. {note}",
        **attributes,
    )


def batcher_settings(name: str) -> options.Decorator[Any]:
    """Declare the settings of a batcher, for a command that takes them as `BatcherSettings`."""
    return options.as_one(
        name,
        BatcherSettings,
        max_records(variable="MAX_RECORDS", default=BatcherSettings.max_records),
        max_bytes(variable="MAX_BYTES", default=BatcherSettings.max_bytes),
        linger(variable="LINGER", default=BatcherSettings.linger_seconds),
        max_writes_per_second(
            variable="MAX_WRITES_PER_SECOND", default=BatcherSettings.max_writes_per_second
        ),
    )
