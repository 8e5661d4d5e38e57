"""What --quiet leaves out."""

import logging

import click
import pytest
from click.testing import CliRunner

from batching_demo.cli.comparison.comparison_options import ComparisonOptions, comparison_options
from batching_demo.cli.process.quiet import quiet_logs_option, quiet_option, report
from batching_demo.settings import Settings


@pytest.mark.parametrize(("arguments", "shown"), [([], "progress\n"), (["--quiet"], "")])
def test_progress_is_reported_unless_quiet(arguments: list[str], shown: str) -> None:
    @click.command()
    @quiet_option
    def command() -> None:
        report("progress")

    assert CliRunner().invoke(command, arguments).stderr == shown


@pytest.mark.parametrize(
    ("arguments", "shows"), [([], True), (["--quiet"], False), (["--json"], False)]
)
def test_a_comparison_shows_progress_unless_told(arguments: list[str], shows: bool) -> None:
    @click.command()
    @comparison_options
    def command(chosen: ComparisonOptions) -> None:
        click.echo(chosen.shows_progress)

    result = CliRunner().invoke(command, arguments, obj=Settings(None))
    assert result.stdout == f"{shows}\n"


def test_a_quiet_worker_logs_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    own = logging.getLogger("batching_demo")
    monkeypatch.setattr(own, "level", logging.INFO)

    @click.command()
    @quiet_logs_option
    def command() -> None:
        click.echo(f"{own.isEnabledFor(logging.INFO)} {own.isEnabledFor(logging.WARNING)}")

    try:
        assert CliRunner().invoke(command, []).stdout == "True True\n"
        assert CliRunner().invoke(command, ["--quiet"]).stdout == "False True\n"
    finally:
        own.setLevel(logging.NOTSET)
