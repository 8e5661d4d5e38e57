"""Print dead letters: as a table without their records, one with everything, or as JSON."""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from batching_demo.contracts.counts import count
from batching_demo.contracts.targets import RECORDS_TARGET
from batching_demo.database.dead_letters.queries import StoredDeadLetter

WIDE = 2_000
"""Columns of a table that is not for a terminal: no line is folded, for grep's sake."""


def print_table(letters: Sequence[StoredDeadLetter], *, with_status: bool) -> None:
    """Print a line for each dead letter, without its record."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    with_target = any(letter.target != RECORDS_TARGET for letter in letters)
    targets = ["target"] if with_target else []
    for name in ("id", *targets, "reason", "sqlstate", "key", "source"):
        table.add_column(name, overflow="fold")
    for name in ("line", "attempts"):
        table.add_column(name, justify="right")
    table.add_column("last seen, UTC", no_wrap=True)
    if with_status:
        table.add_column("status")
    for letter in letters:
        number, *others = _cells(letter)
        target = [terminal_safe(letter.target)] if with_target else []
        cells = [number, *target, *others, *([letter.status] if with_status else [])]
        table.add_row(*map(Text, cells))
    Console(width=None if sys.stdout.isatty() else WIDE).print(table)


def _cells(letter: StoredDeadLetter) -> Iterator[str]:
    yield str(letter.id)
    yield terminal_safe(letter.reason)
    yield letter.sqlstate or ""
    yield terminal_safe(letter.key or "")
    yield terminal_safe(letter.source)
    yield str(letter.line)
    yield str(letter.attempts)
    yield f"{letter.last_seen.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


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


def terminal_safe(text: str, *, keep: str = "") -> str:
    """Escape the characters that would steer a terminal."""
    return "".join(
        character if character.isprintable() or character in keep else ascii(character)[1:-1]
        for character in text
    )
