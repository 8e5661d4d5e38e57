"""The command `batching-demo`, and how its errors become one line and an exit code."""

import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click
from temporalio.service import RPCError

from batching_demo.cli import options
from batching_demo.cli.batcher.group import batcher
from batching_demo.cli.compare import compare_command
from batching_demo.cli.db import db
from batching_demo.cli.dead_letters.group import dead_letters
from batching_demo.cli.demo import demo
from batching_demo.cli.dev import dev
from batching_demo.cli.doctor import doctor
from batching_demo.cli.exit_codes import FAILED, INTERRUPTED, REFUSED
from batching_demo.cli.logs import configure_logging
from batching_demo.cli.main.group import main_group
from batching_demo.cli.psql import psql
from batching_demo.comparison.compare import ComparisonError
from batching_demo.database.engine import describe_url
from batching_demo.database.errors import DatabaseFailedError
from batching_demo.main_service.files.source_file import SourceError
from batching_demo.settings import Settings, SettingsError
from batching_demo.temporal import TemporalUnavailableError


class CommandGroup(click.Group):
    """A group whose commands may raise the errors of every layer below."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an error with a message for the user ends it with that line."""
        try:
            return super().invoke(ctx)
        except SourceError as error:
            raise CommandFailure(str(error), REFUSED) from None
        except (SettingsError, TemporalUnavailableError, ComparisonError) as error:
            raise CommandFailure(str(error), FAILED) from None
        except DatabaseFailedError as error:
            place = describe_url(ctx.obj.required_database_url)
            raise CommandFailure(f"{error} ({place})", FAILED) from None
        except RPCError as error:
            raise CommandFailure(
                f"Temporal: {error.message} ({error.status.name})", FAILED
            ) from None
        except KeyboardInterrupt:
            raise CommandFailure("interrupted", INTERRUPTED) from None


class CommandFailure(click.ClickException):
    """Ends a command with one line and an exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self._exit_code = exit_code

    @property
    def exit_code(self) -> int:  # type: ignore[override]  # click reads it from the instance
        """The code that the process ends with."""
        return self._exit_code


@click.group(name="batching-demo", cls=CommandGroup)
@click.version_option(package_name="batching-demo")
@options.log_format
@click.pass_context
def app(ctx: click.Context, log_format: str) -> None:
    """Batch the one-row writes of many Temporal workflows into bulk INSERTs for Postgres.

    \b
    Exit codes: 0 done, 1 failed, 2 refused input or usage, 3 some records dead-lettered
    (in conflict or rejected), 130 interrupted.

    \b
    Example: batching-demo demo
    """
    configure_logging(log_format)
    ctx.obj = Settings.from_environment(os.environ)


for command in (dev, db, psql, main_group, batcher, dead_letters, compare_command, demo, doctor):
    app.add_command(command)


def run(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command as a process.

    Python is not finalised: a thread of Temporal's runtime that wakes up meanwhile aborts the
    process (seen now and then after short commands, with temporalio 1.35).
    """
    exit_code = 0
    try:
        app(arguments)
    except SystemExit as end:
        exit_code = end.code if isinstance(end.code, int) else int(end.code is not None)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)
