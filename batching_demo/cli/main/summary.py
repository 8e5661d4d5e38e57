"""The summary that `batching-demo main start` prints, and its exit code."""

import json
from collections.abc import Iterator

import click

from batching_demo.cli.exit_codes import FAILED, NOT_ALL_STORED
from batching_demo.main_service.summary import Summary, counts


def print_summary(summary: Summary, *, waited: bool, as_json: bool) -> None:
    """Print what became of the records, and the first failures on standard error."""
    if as_json:
        click.echo(json.dumps(counts(summary, waited=waited)))
    else:
        for line in _lines(summary, waited=waited):
            click.echo(line)
    for failure in summary.failures[:5]:
        click.echo(f"Error: {failure}", err=True)


def _lines(summary: Summary, *, waited: bool) -> Iterator[str]:
    if summary.read == 0:
        yield "0 records: nothing to do"
        return
    if summary.already_done:
        yield (
            f"{summary.already_done} records are already done: their workflows had completed and"
            " were not started again (--again loads them once more)"
        )
    if summary.attached:
        yield f"{_workflows(summary.attached)} already under way; attached"
    yield f"{_workflows(summary.workflows)}, {summary.started} of them new, {summary.seconds:.1f} s"
    if waited:
        yield (
            f"{summary.read} records: {summary.written} written, {summary.duplicate} duplicate,"
            f" {summary.conflict} conflict, {summary.rejected} rejected,"
            f" {summary.already_done} already done"
        )
    if summary.pending:
        yield f"{summary.pending} records have no verdict yet"


def _workflows(number: int) -> str:
    return f"{number} workflow{'' if number == 1 else 's'}"


def run_exit_code(summary: Summary) -> int:
    """Choose the exit code of a run."""
    if summary.failures:
        return FAILED
    return NOT_ALL_STORED if summary.conflict + summary.rejected else 0
