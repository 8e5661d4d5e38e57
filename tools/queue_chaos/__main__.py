"""The command of scripts/queue_chaos."""

import asyncio

import click

from batching_demo.stopping import interrupt_on_signals
from tools.queue_chaos import redis_run, sqs_run
from tools.queue_chaos.result import Result

REDIS, SQS = "redis", "sqs"


@click.command()
@click.option("--queue", type=click.Choice([REDIS, SQS]), default=REDIS, show_default=True)
@click.option("--messages", type=click.IntRange(min=100), help="[default: 100,000; sqs: 10,000]")
@click.option(
    "--minutes",
    type=click.FloatRange(min=0.1),
    help="How long they are sent. [default: 8; sqs: 1]",
)
@click.option("--consumers", type=click.IntRange(min=1), default=2, show_default=True)
@click.option(
    "--kills",
    type=click.IntRange(min=2),
    default=100,
    show_default=True,
    help="Of redis: how often a consumer or the server is killed.",
)
@click.option(
    "--seed",
    type=int,
    default=1,
    show_default=True,
    help="Of redis: the same seed has the same moments.",
)
@click.option(
    "--claim-after",
    type=click.FloatRange(min=0.5),
    default=5.0,
    show_default=True,
    help="Of redis: seconds after which the messages of a dead consumer go to another one.",
)
@click.option(
    "--outage",
    type=click.FloatRange(min=1),
    default=30.0,
    show_default=True,
    help="Of sqs: how many seconds Postgres is away.",
)
def main(
    queue: str,
    messages: int | None,
    minutes: float | None,
    consumers: int,
    kills: int,
    seed: int,
    claim_after: float,
    outage: float,
) -> None:
    """Break the intake from a queue while messages are sent, and check what is stored.

    redis kills consumers of a stream and its Valkey with -9 at random moments. One of the messages
    kills its consumer whenever it is written. sqs stops Postgres, with a queue that gives messages
    up which were received three times, and starts consumers again meanwhile. Moto emulates SQS.

    Either way three messages are no JSON. The run starts its own servers and workers, and touches
    no others. The exit code is 1 if a message is lost, stored twice or dead-lettered for nothing,
    or if anything is left on the queue.

    \b
    Examples:
      scripts/queue_chaos --messages 100000 --kills 100
      scripts/queue_chaos --queue sqs --outage 300
    """
    interrupt_on_signals()
    if queue == REDIS:
        seconds = 60 * (minutes or 8)
        plan = redis_run.Plan(messages or 100_000, kills, seconds, consumers, seed, claim_after)
        result = asyncio.run(redis_run.run(plan, _report))
    else:
        of_sqs = sqs_run.Plan(messages or 10_000, 60 * (minutes or 1), outage, consumers)
        result = asyncio.run(sqs_run.run(of_sqs, _report))
    _print(result)
    raise SystemExit(1 if result.problems else 0)


def _report(line: str) -> None:
    click.echo(line, err=True)


def _print(result: Result) -> None:
    done = "".join(f"; {what}: {number}" for what, number in result.done.items())
    click.echo(
        f"{result.rows:,} rows of {result.good:,} good messages, {result.distinct:,} different;"
        f" dead letters {dict(result.dead_letters)}; given up by SQS: {result.given_up}{done};"
        f" consumers ended by themselves: {result.deaths}"
    )
    for problem in result.problems:
        click.echo(f"Error: {problem}", err=True)


if __name__ == "__main__":
    main(prog_name="scripts/queue_chaos")
