"""Lists of what is stored: a table, and how much of it a limit leaves out."""

import sys
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from batching_demo.cli import options

DEFAULT_LIMIT = 50
MOST_LISTED = 2**63 - 1
"""Postgres takes no higher limit."""
WIDE = 2_000
"""Columns of a table that is not for a terminal: no line is folded, for grep's sake."""


def limit_option(things: str) -> options.Decorator[Any]:
    """Declare --limit."""
    return options.option(
        "--limit",
        type=click.IntRange(min=1, max=MOST_LISTED),
        default=DEFAULT_LIMIT,
        help=f"{things} to list, at most.",
    )


async def left_out(listed: int, limit: int, count_all: Callable[[], Awaitable[int]]) -> int:
    """Return how many more there are than a limit let through. Some may have gone meanwhile."""
    return 0 if listed < limit else max(0, await count_all() - listed)


def print_left_out(listed: int, more: int) -> None:
    """Print how to see those that a limit left out, if there are any."""
    if more:
        total = listed + more
        click.echo(f"{listed} of {total}; --limit {total} shows {more} more")


def new_table() -> Table:
    """Return a table without columns and rows."""
    return Table(box=None, pad_edge=False, header_style="bold")


def print_table(table: Table, rows: Iterable[Iterable[str]]) -> None:
    """Fill a table and print it."""
    for cells in rows:
        table.add_row(*map(Text, cells))
    Console(width=None if sys.stdout.isatty() else WIDE).print(table)


def shown_time(time: datetime) -> str:
    """Format a time, in UTC."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def terminal_safe(text: str, *, keep: str = "") -> str:
    """Escape the characters that would steer a terminal."""
    return "".join(
        character if character.isprintable() or character in keep else ascii(character)[1:-1]
        for character in text
    )
