"""`batching-demo receipts`: by which own tables know a record that comes again."""

import asyncio
import re
from datetime import timedelta

import click

from batching_demo.cli import options
from batching_demo.cli.servers import name_database
from batching_demo.contracts.counts import count
from batching_demo.database.opening import open_database
from batching_demo.database.targets.receipts import prune_receipts
from batching_demo.settings import Settings

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
MOST_DIGITS = 5


class Age(click.ParamType[timedelta]):
    """A number and a unit, such as 30d."""

    name = "age"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """Return the age."""
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(rf"([0-9]{{1,{MOST_DIGITS}}})([{''.join(UNITS)}])", str(value))
        if found is None:
            self.fail(f"{str(value)!r} is no age: write a number and s, m, h, d or w", param, ctx)
        return timedelta(**{UNITS[found[2]]: int(found[1])})


@click.group("receipts")
def receipts() -> None:
    """Delete receipts, by which a target knows a record that it has stored before.

    \b
    Example: batching-demo receipts prune --older-than 30d
    """


@receipts.command("prune")
@options.option(
    "--older-than",
    type=Age(),
    required=True,
    metavar="AGE",
    help="How old they are at least: a number and s, m, h, d or w, such as 30d.",
)
@options.pooler
@click.pass_obj
def prune(settings: Settings, older_than: timedelta) -> None:
    """Delete old receipts.

    A record whose receipt is gone may be applied again if its submission is sent again. So keep
    receipts for longer than any workflow goes on submitting, and longer than you may reset one.

    \b
    Example: batching-demo receipts prune --older-than 30d
    """
    name_database(settings)
    click.echo(f"{count(asyncio.run(_prune(settings, older_than)), 'receipt')} deleted")


async def _prune(settings: Settings, older_than: timedelta) -> int:
    async with open_database(settings, "batching-demo receipts prune") as engine:
        return await prune_receipts(engine, older_than)
