"""Options that several commands share, and how options are declared."""

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from batching_demo.contracts.limits import DEFAULT_POLLERS
from batching_demo.contracts.names import COMMON_SHARD, WritePath
from batching_demo.main_service.messages import RunOptions
from batching_demo.queue_servers.submission_streams import stream_address
from batching_demo.secret_files import SECRETS, find_secret
from batching_demo.settings import POOLERS, read_pooler
from batching_demo.target_files import read_targets

Command = TypeVar("Command", bound=Callable[..., Any])
Decorator = Callable[[Command], Command]
WRITE_PATHS = [path.value for path in WritePath]
LONGEST_SECONDS = 30 * 24 * 60 * 60
MOST_SHARDS = 1000
DEFAULT_TIMEOUT_SECONDS = 60.0


def option(
    *declarations: str, help: str, variable: str | None = None, **attributes: Any
) -> Decorator[Any]:
    """Declare an option; `--help` shows its default.

    Args:
        declarations: As of `click.option`.
        help: What it means. It names the default itself where that is no plain value.
        variable: Makes BATCHING_DEMO_<variable> set the option too. This is for the configuration
            of a deployment, not for what one call is about.
        attributes: As of `click.option`.
    """
    attributes.setdefault("show_default", "[default:" not in help)
    if variable is not None:
        name = f"BATCHING_DEMO_{variable}"
        attributes |= {"envvar": name, "show_envvar": True}
        if name in SECRETS:
            attributes["cls"] = _SecretOption
    return click.option(*declarations, help=help.strip(), **attributes)


class _SecretOption(click.Option):
    """An option whose variable may stand in a file."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return what the variable says; None if it is not set."""
        return find_secret(os.environ, str(self.envvar)) or None


def as_one(name: str, make: type[Any], *declare: Decorator[Any]) -> Decorator[Any]:
    """Declare options that a command takes as one value.

    Args:
        name: The parameter of the command that gets the value.
        make: A dataclass with fields that are named like the options.
        declare: The options.
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


class NumberRange(click.FloatRange):
    """A range of numbers. That of click lets NaN through."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Convert and check a value."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value} is not a number", param, ctx)
        return number


class Seconds(NumberRange):
    """A length of time that a timer can run."""

    name = "seconds"

    def __init__(self, *, min_open: bool = False) -> None:
        super().__init__(min=0, max=LONGEST_SECONDS, min_open=min_open)


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
