"""Options that several commands share, and how options are declared."""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from batching_demo.contracts.limits import DEFAULT_POLLERS, MAX_BATCH_BYTES, MAX_BATCH_RECORDS
from batching_demo.contracts.names import COMMON_SHARD, WritePath
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.core.control import MOST_WRITES_PER_SECOND
from batching_demo.main_service.messages import RunOptions
from batching_demo.queue_servers.submission_streams import stream_address
from batching_demo.settings import POOLERS, read_pooler
from batching_demo.target_files import read_targets

Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Command], Command]
WRITE_PATHS = [path.value for path in WritePath]
LONGEST_SECONDS = 30 * 24 * 60 * 60
MOST_SHARDS = 1000
DEFAULT_TIMEOUT_SECONDS = 60.0
OF_RUNNING_BATCHERS = "[default: the running batchers']"


def option(
    *declarations: str, help: str, variable: str | None = None, **attributes: Any
) -> Decorator[Any]:
    """Declare an option; `--help` shows its default.

    Args:
        declarations: as of `click.option`.
        help: what it means. It names the default itself where that is no plain value.
        variable: makes BATCHING_DEMO_<variable> set the option too. This is for the configuration
            of a deployment, not for what one call is about.
        attributes: as of `click.option`.
    """
    attributes.setdefault("show_default", "[default:" not in help)
    if variable is not None:
        attributes |= {"envvar": f"BATCHING_DEMO_{variable}", "show_envvar": True}
    return click.option(*declarations, help=help.strip(), **attributes)


def as_one(name: str, make: type[Any], *declare: Decorator[Any]) -> Decorator[Any]:
    """Declare options that a command takes as one value.

    Args:
        name: the parameter of the command that gets the value.
        make: a dataclass with fields that are named like the options.
        declare: the options.
    """
    names = {field.name for field in fields(make)}

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def call(*arguments: Any, **given: Any) -> Any:
            own = {option: given.pop(option) for option in names & given.keys()}
            return command(*arguments, **given, **{name: make(**own)})

        for one in reversed(declare):
            call = one(call)
        return call

    return decorate


class Seconds(click.FloatRange):
    """A length of time that a timer can run. A range alone would let NaN through."""

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


def max_records(note: str = "", **attributes: Any) -> Decorator[Any]:
    """Declare --max-records."""
    return option(
        "--max-records",
        type=click.IntRange(min=1, max=MAX_BATCH_RECORDS),
        help=f"Records in a batch, and in one submission, at most. {note}",
        **attributes,
    )


def max_bytes(**attributes: Any) -> Decorator[Any]:
    """Declare --max-bytes."""
    return option(
        "--max-bytes",
        type=click.IntRange(min=1, max=MAX_BATCH_BYTES),
        help="Encoded bytes in a batch, at most.",
        **attributes,
    )


def linger(note: str = "", **attributes: Any) -> Decorator[Any]:
    """Declare --linger."""
    return option(
        "--linger",
        "linger_seconds",
        type=Seconds(),
        help=f"Seconds that the oldest record may wait for its batch to fill. {note}",
        **attributes,
    )


def max_writes_per_second(note: str = "", **attributes: Any) -> Decorator[Any]:
    """Declare --max-writes-per-second."""
    return option(
        "--max-writes-per-second",
        type=click.FloatRange(min=0, max=MOST_WRITES_PER_SECOND),
        help="Write budget of a shard: a batch that is not full is written as soon as the budget"
        f" allows it, and waits for the linger at most. 0 is no budget. {note}",
        **attributes,
    )


def shards(note: str = "", **attributes: Any) -> Decorator[Any]:
    """Declare --shards."""
    return option(
        "--shards",
        type=click.IntRange(min=1, max=MOST_SHARDS),
        help=f"Batchers that share the load. {note}",
        **attributes,
    )


def batcher_settings(name: str) -> Decorator[Any]:
    """Declare the settings of a batcher, for a command that takes them as `BatcherSettings`."""
    return as_one(
        name,
        BatcherSettings,
        max_records(variable="MAX_RECORDS", default=BatcherSettings.max_records),
        max_bytes(variable="MAX_BYTES", default=BatcherSettings.max_bytes),
        linger(variable="LINGER", default=BatcherSettings.linger_seconds),
        max_writes_per_second(
            variable="MAX_WRITES_PER_SECOND", default=BatcherSettings.max_writes_per_second
        ),
    )


def write_path(
    paths: Sequence[str] = WRITE_PATHS,
    *,
    help: str = "How prepared records reach Postgres.",
    **attributes: Any,
) -> Decorator[Any]:
    """Declare --write-path, for one path or for several."""
    return option("--write-path", type=click.Choice(paths), help=help, **attributes)


records_per_workflow = option(
    "--records-per-workflow",
    type=click.IntRange(min=1),
    default=RunOptions.records_per_workflow,
    help="Records that each main workflow loads, prepares and submits.",
)
max_open = option(
    "--max-open",
    type=click.IntRange(min=1),
    help="Main workflows under way at a time. [default: what keeps 512 KiB outstanding per shard,"
    " 16 MiB on the other paths, at least three batches, at most 1,000]",
)
shard = option(
    "--shard",
    type=click.IntRange(min=0, max=MOST_SHARDS - 1),
    metavar="NUMBER",
    help="Only the batcher of this shard. [default: all]",
)
timeout = option(
    "--timeout",
    type=Seconds(min_open=True),
    default=DEFAULT_TIMEOUT_SECONDS,
    help="Seconds to wait.",
)
metrics_bind = option(
    "--metrics-bind",
    variable="METRICS_BIND",
    metavar="HOST:PORT",
    help="Serve metrics for Prometheus at http://HOST:PORT/metrics, and the probes /healthz and"
    " /readyz beside them. [default: nowhere]",
)
log_format = option(
    "--log-format",
    variable="LOG_FORMAT",
    type=click.Choice(["text", "json"]),
    default="text",
    help="Write log lines as text, or each as a JSON object.",
)
pollers = option(
    "--pollers",
    variable="POLLERS",
    type=click.IntRange(min=2),
    default=DEFAULT_POLLERS,
    help="Requests for work that wait at the server at a time, for each kind of work.",
)
batch_log = option(
    "--batch-log/--no-batch-log",
    variable="BATCH_LOG",
    default=True,
    help="Write an entry in the table batches with every INSERT of a batch.",
)
sandbox = option(
    "--sandbox/--no-sandbox",
    variable="SANDBOX",
    default=False,
    help="Run workflows in the sandbox of Temporal's SDK, which takes more CPU time.",
)


def _set_pooler(ctx: click.Context, _param: click.Parameter, value: str) -> None:
    ctx.obj = replace(ctx.obj, pooler=read_pooler(value))


pooler = option(
    "--pooler",
    variable="POOLER",
    type=click.Choice(POOLERS),
    default="auto",
    expose_value=False,
    callback=_set_pooler,
    help="Whether a pooler is in front of Postgres: auto finds out, transaction says that there is"
    " one in transaction mode.",
)
targets = option(
    "--targets",
    variable="TARGETS",
    metavar="FILE",
    type=click.Path(path_type=Path),
    callback=lambda _ctx, _param, path: read_targets(path) if path else (),
    help="TOML file that declares tables of your own. [default: none]",
)


def _set_queue_url(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value:
        ctx.obj = replace(ctx.obj, queue_url=value)
    if ctx.obj.queue_url:
        stream_address(ctx.obj.queue_url, "default", COMMON_SHARD)


queue_url = option(
    "--queue-url",
    variable="QUEUE_URL",
    metavar="URL",
    expose_value=False,
    callback=_set_queue_url,
    help="Redis or Valkey server and database of the write path queued, such as"
    " redis://HOST:6379/0. [default: that of `dev up --queue`]",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print only JSON.")
_QUIET = f"{__name__}.quiet"
"""The key of the context's `meta` under which commands and what they call find --quiet."""


def _keep_quiet(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    ctx.meta[_QUIET] = value


def is_quiet() -> bool:
    """Return whether the command that runs was called with --quiet."""
    ctx = click.get_current_context(silent=True)
    return bool(ctx and ctx.meta.get(_QUIET))


quiet = click.option(
    "--quiet",
    is_flag=True,
    expose_value=False,
    callback=_keep_quiet,
    help="Print only the result, and on standard error what is wrong.",
)


def _log_problems_only(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    _keep_quiet(ctx, parameter, value)
    if value:
        logging.getLogger("batching_demo").setLevel(logging.WARNING)


quiet_logs = click.option(
    "--quiet",
    is_flag=True,
    expose_value=False,
    callback=_log_problems_only,
    help="Log only warnings and errors.",
)
