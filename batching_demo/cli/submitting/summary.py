"""The summary that `main start` and `submit` print, and their exit code."""

import json
from collections.abc import Iterator

import click

from batching_demo.cli.exit_codes import FAILED, NOT_ALL_STORED
from batching_demo.contracts.counts import count
from batching_demo.main_service.summary import Summary, counts

FAILURES_NAMED = 5


def print_summary(summary: Summary, *, waited: bool, as_json: bool) -> None:
    """Print the records by verdict, and the first failures on standard error."""
    if as_json:
        click.echo(json.dumps(counts(summary, waited=waited)))
    else:
        for line in _lines(summary, waited=waited):
            click.echo(line)
    for failure in summary.failures[:FAILURES_NAMED]:
        click.echo(f"Error: {failure}", err=True)
    if (more := len(summary.failures) - FAILURES_NAMED) > 0:
        click.echo(f"Error: and {more:,} more of {len(summary.failures):,} failures", err=True)


def _lines(summary: Summary, *, waited: bool) -> Iterator[str]:
    if summary.read == 0:
        yield "0 records: nothing to do"
        return
    if summary.already_done:
        yield (
            f"{count(summary.already_done, 'record')} already done by an earlier run"
            " (--again loads the input once more)"
        )
    if summary.attached:
        yield f"{count(summary.attached, 'workflow')} already under way; attached"
    if summary.requests:
        yield f"{count(summary.requests, 'request')}, {summary.seconds:.1f} s"
    else:
        workflows = count(summary.workflows, "workflow")
        yield f"{workflows}, {summary.started:,} new, {summary.seconds:.1f} s"
    if waited:
        verdicts = ", ".join(f"{number:,} {name}" for name, number in summary.verdicts.items())
        done = f"{summary.already_done:,} already done"
        yield f"{count(summary.read, 'record')}: {verdicts}, {done}"
    if summary.pending:
        yield f"no verdict yet for {count(summary.pending, 'record')}"


def run_exit_code(summary: Summary) -> int:
    """Choose the exit code of a run."""
    if summary.failures:
        return FAILED
    return NOT_ALL_STORED if summary.conflict + summary.rejected else 0
