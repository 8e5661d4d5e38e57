"""Print dead letters: as a table without their records, one with everything, or as JSON."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import click

from batching_demo.cli.listing import new_table, print_table, shown_time, terminal_safe
from batching_demo.contracts.counts import count
from batching_demo.contracts.targets import RECORDS_TARGET
from batching_demo.database.dead_letters.queries import StoredDeadLetter


def print_letters(letters: Sequence[StoredDeadLetter], *, with_status: bool) -> None:
    """Print a line for each dead letter, without its record."""
    table = new_table()
    with_target = any(letter.target != RECORDS_TARGET for letter in letters)
    targets = ["target"] if with_target else []
    for name in ("id", *targets, "reason", "sqlstate", "key", "source"):
        table.add_column(name, overflow="fold")
    for name in ("line", "attempts"):
        table.add_column(name, justify="right")
    table.add_column("last seen, UTC", no_wrap=True)
    if with_status:
        table.add_column("status")
    print_table(
        table,
        (_cells(letter, with_target=with_target, with_status=with_status) for letter in letters),
    )


def _cells(letter: StoredDeadLetter, *, with_target: bool, with_status: bool) -> Iterator[str]:
    yield str(letter.id)
    if with_target:
        yield terminal_safe(letter.target)
    yield terminal_safe(letter.reason)
    yield letter.sqlstate or ""
    yield terminal_safe(letter.key or "")
    yield terminal_safe(letter.source)
    yield str(letter.line)
    yield str(letter.attempts)
    yield shown_time(letter.last_seen)
    if with_status:
        yield letter.status


def print_letter(letter: StoredDeadLetter, record: str) -> None:
    """Print everything of a dead letter."""
    click.echo(f"dead letter {letter.id}")
    for name, value in asdict(letter).items():
        if name != "id" and value not in (None, ""):
            click.echo(f"  {name.replace('_', ' '):<10}  {terminal_safe(str(value))}")
    note = ", only its beginning" if letter.truncated else ""
    click.echo(f"  record, {count(len(record), 'character')} as kept{note}:")
    click.echo(terminal_safe(record, keep="\n\t"))


def letter_as_json(letter: StoredDeadLetter) -> dict[str, Any]:
    """Return a dead letter without its record as plain values."""
    return {
        **asdict(letter),
        "batch_id": str(letter.batch_id) if letter.batch_id else None,
        "first_seen": letter.first_seen.isoformat(),
        "last_seen": letter.last_seen.isoformat(),
    }


def print_json(letters: Sequence[dict[str, Any]], **more: Any) -> None:
    """Print dead letters as one JSON object."""
    click.echo(json.dumps({"letters": letters, **more}, indent=2))
