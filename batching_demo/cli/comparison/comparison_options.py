"""The options of `compare` and `demo`, and the comparison that they ask for."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from batching_demo.cli import options
from batching_demo.cli.process.quiet import is_quiet, quiet_option
from batching_demo.cli.submitting.input_options import InputOptions, input_options, read_input
from batching_demo.cli.submitting.running_batchers import (
    BatcherOptions,
    choose,
    compared_batcher_options,
)
from batching_demo.cli.submitting.target_options import TargetOptions
from batching_demo.comparison.compare import Comparison
from batching_demo.contracts.counts import count
from batching_demo.contracts.names import DIRECT, WritePath
from batching_demo.settings import Settings

DEFAULT_RECORDS = 400
COMPARED_PATHS = [*options.WRITE_PATHS, DIRECT]
DEFAULT_PATHS = [path for path in COMPARED_PATHS if path != WritePath.QUEUED]
"""Those that need no further server."""


@dataclass(frozen=True)
class ComparisonOptions:
    """What the user says of a comparison."""

    records: int
    write_path: Sequence[str]
    records_per_workflow: int
    file: InputOptions
    batchers: BatcherOptions
    max_open: int | None
    report: Path | None
    as_json: bool

    @property
    def shows_progress(self) -> bool:
        """Whether lines beside the result are wanted."""
        return not (self.as_json or is_quiet())


def _in_a_directory(
    ctx: click.Context, parameter: click.Parameter, path: Path | None
) -> Path | None:
    """Refuse a file that cannot be created, before a comparison of minutes."""
    if path and not os.access(path.parent, os.W_OK | os.X_OK):
        raise click.BadParameter(f"the directory {path.parent} cannot be written to")
    return path


comparison_options = options.as_one(
    "chosen",
    ComparisonOptions,
    options.option(
        "--records",
        type=click.IntRange(min=1),
        default=DEFAULT_RECORDS,
        help="Records on each path.",
    ),
    options.write_path(
        COMPARED_PATHS,
        multiple=True,
        default=DEFAULT_PATHS,
        help="How records reach Postgres; direct is without a workflow, queued needs a queue. Given"
        " again, several.",
    ),
    options.records_per_workflow,
    input_options,
    compared_batcher_options,
    options.max_open,
    options.queue_url,
    options.pooler,
    click.option(
        "--report",
        type=click.Path(dir_okay=False, writable=True, path_type=Path),
        callback=_in_a_directory,
        metavar="FILE.html",
        help="Also write the result as an HTML page with charts, which needs no other file.",
    ),
    options.as_json,
    quiet_option,
)


def read_comparison(
    settings: Settings, chosen: ComparisonOptions, into: TargetOptions | None = None
) -> Comparison:
    """Check the options and the input of a comparison, before any server is asked."""
    into = into or TargetOptions()
    inspected, keys = read_input(chosen.file, settings.state_directory, into.declaration)
    paths = list(dict.fromkeys(chosen.write_path))
    shares = len(paths) if into.declaration else 1
    if chosen.records * shares > inspected.records:
        needed = (
            f", and each of {shares} paths needs others for target {into.target}: give at"
            f" most {inspected.records // shares}"
        )
        raise click.BadParameter(
            f"{inspected.source.name} has only {count(inspected.records, 'record')}"
            f"{needed if shares > 1 else ''}",
            param_hint="--records",
        )
    batchers = choose(chosen.batchers, running=())
    return Comparison(
        source=inspected.source,
        key_columns=keys,
        records=chosen.records,
        paths=paths,
        records_per_workflow=chosen.records_per_workflow,
        max_open=chosen.max_open,
        settings=batchers.settings,
        shards=batchers.shards,
        queue_url=settings.queue_url,
        target=into.target,
    )
