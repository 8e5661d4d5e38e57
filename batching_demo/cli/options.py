"""Options that several commands share, each also an environment variable."""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import click

from batching_demo.contracts.limits import MAX_BATCH_BYTES, MAX_BATCH_RECORDS
from batching_demo.contracts.messages import BatcherSettings
from batching_demo.contracts.names import WritePath
from batching_demo.temporal import DEFAULT_POLLERS

Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Command], Command]
DEFAULTS = BatcherSettings()
WRITE_PATHS = [path.value for path in WritePath]


def option(*declarations: str, variable: str, help: str, **attributes: Any) -> Decorator[Any]:
    """Declare an option that BATCHING_DEMO_<variable> sets too, both shown by --help."""
    attributes.setdefault("show_default", True)
    return click.option(
        *declarations,
        envvar=f"BATCHING_DEMO_{variable}",
        show_envvar=True,
        help=help,
        **attributes,
    )


LONGEST_SECONDS = 30 * 24 * 60 * 60


class Seconds(click.FloatRange):
    """A length of time that a timer can run; neither infinite nor NaN, which no range excludes."""

    name = "seconds"

    def __init__(self, *, min_open: bool = False) -> None:
        super().__init__(min=0, max=LONGEST_SECONDS, min_open=min_open)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Convert and check a value."""
        seconds = float(super().convert(value, param, ctx))
        if math.isnan(seconds):
            self.fail(f"{value} is not a number of seconds", param, ctx)
        return seconds


max_records = option(
    "--max-records",
    variable="MAX_RECORDS",
    type=click.IntRange(min=1, max=MAX_BATCH_RECORDS),
    default=DEFAULTS.max_records,
    help="Records in a batch, and in one submission, at most.",
)
max_bytes = option(
    "--max-bytes",
    variable="MAX_BYTES",
    type=click.IntRange(min=1, max=MAX_BATCH_BYTES),
    default=DEFAULTS.max_bytes,
    help="Encoded bytes in a batch, at most.",
)
linger = option(
    "--linger",
    variable="LINGER",
    type=Seconds(),
    default=DEFAULTS.linger_seconds,
    help="Seconds that the oldest record may wait for its batch to fill.",
)
MOST_SHARDS = 1000
shards = option(
    "--shards",
    variable="SHARDS",
    type=click.IntRange(min=1, max=MOST_SHARDS),
    default=1,
    help="Batcher workflows that share the load.",
)
records_per_workflow = option(
    "--records-per-workflow",
    variable="RECORDS_PER_WORKFLOW",
    type=click.IntRange(min=1),
    default=1,
    help="Records that each main workflow loads, prepares and submits.",
)
key = option(
    "--key",
    "key_columns",
    variable="KEY",
    multiple=True,
    metavar="COLUMN",
    show_default=False,
    help="Column whose text is the idempotency key; several are joined. Without it, every record"
    " is its own: the content's digest and the line.",
)
input_file = option(
    "--input",
    "input_path",
    variable="INPUT",
    metavar="FILE",
    show_default=False,
    help="CSV file with a header, or NDJSON file, either also gzipped; - is standard input."
    " [default: the bundled flights]",
)
input_format = option(
    "--format",
    "input_format",
    variable="FORMAT",
    type=click.Choice(["csv", "ndjson"]),
    show_default=False,
    help="What the input is, when its suffix does not say.",
)
delimiter = option(
    "--delimiter",
    variable="DELIMITER",
    default=",",
    help="Character between the fields of a CSV file; \\t is a tab.",
)
max_open = option(
    "--max-open",
    variable="MAX_OPEN",
    type=click.IntRange(min=1),
    show_default=False,
    help="Main workflows under way at a time. [default: what keeps 512 KiB outstanding per shard,"
    " 16 MiB on the other paths, at least three batches, at most 1,000]",
)
deadline = option(
    "--deadline",
    variable="DEADLINE",
    type=Seconds(min_open=True),
    show_default=False,
    metavar="SECONDS",
    help="Give up waiting for verdicts after this long. [default: never]",
)
encoding = option(
    "--encoding",
    variable="ENCODING",
    default="utf-8",
    help="What the input is encoded in.",
)
shard = click.option(
    "--shard",
    type=click.IntRange(min=0, max=MOST_SHARDS - 1),
    metavar="NUMBER",
    help="Only this one. [default: all]",
)
metrics_bind = option(
    "--metrics-bind",
    variable="METRICS_BIND",
    metavar="HOST:PORT",
    show_default=False,
    help="Serve metrics for Prometheus at http://HOST:PORT/metrics. [default: nowhere]",
)
log_format = option(
    "--log-format",
    variable="LOG_FORMAT",
    type=click.Choice(["text", "json"]),
    default="text",
    help="How log lines are written, one JSON object each or as text.",
)
timeout = option(
    "--timeout",
    variable="TIMEOUT",
    type=Seconds(min_open=True),
    default=60.0,
    help="Seconds to wait.",
)
pollers = option(
    "--pollers",
    variable="POLLERS",
    type=click.IntRange(min=2),
    default=DEFAULT_POLLERS,
    help="Requests for work that wait at the server at a time, for each kind of work.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print only JSON.")


def write_path(**attributes: Any) -> Decorator[Any]:
    """Declare --write-path, for one path or for several."""
    return option(
        "--write-path",
        variable="WRITE_PATH",
        type=click.Choice(WRITE_PATHS),
        help="How prepared records reach Postgres.",
        **attributes,
    )
