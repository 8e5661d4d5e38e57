"""The command of scripts/queue_chaos."""

import asyncio

import click

from batching_demo.devstack.interruption import stop_by_signals
from tools.queue_chaos.run import Plan, run


@click.command()
@click.option("--messages", type=click.IntRange(min=100), default=100_000, show_default=True)
@click.option("--kills", type=click.IntRange(min=2), default=100, show_default=True)
@click.option("--minutes", type=click.FloatRange(min=0.1), default=8.0, show_default=True)
@click.option("--consumers", type=click.IntRange(min=1), default=2, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same moments.")
@click.option("--claim-after", type=click.FloatRange(min=0.5), default=5.0, show_default=True)
def main(
    messages: int, kills: int, minutes: float, consumers: int, seed: int, claim_after: float
) -> None:
    """Kill consumers of a stream and its server at random moments, and check what is stored.

    One of the messages kills its consumer whenever it is written, and three are no JSON. The run
    starts its own servers and workers, and touches no others. The exit code is 1 if a message is
    lost, stored twice or dead-lettered for nothing, or if anything is left on the stream.

    \b
    Example: scripts/queue_chaos --messages 100000 --kills 100
    """
    stop_by_signals()
    plan = Plan(messages, kills, minutes * 60, consumers, seed, claim_after)
    result = asyncio.run(run(plan, lambda line: click.echo(line, err=True)))
    click.echo(
        f"{result.rows:,} rows of {result.good:,} good messages, {result.distinct:,} different;"
        f" dead letters {dict(result.dead_letters)}; killed {dict(result.killed)};"
        f" {result.deaths} consumers ended by themselves"
    )
    for problem in result.problems:
        click.echo(f"Error: {problem}", err=True)
    raise SystemExit(1 if result.problems else 0)


if __name__ == "__main__":
    main(prog_name="scripts/queue_chaos")
