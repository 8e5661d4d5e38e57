"""The command `batching-demo`, and how its errors become one line and an exit code."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.exceptions import NoSuchCommand

from batching_demo.cli import options
from batching_demo.cli.exit_codes import FAILED, INTERRUPTED
from batching_demo.cli.given_once import check_given_once
from batching_demo.cli.process.endings import CommandFailure, exit_code_of
from batching_demo.cli.process.logs import configure_logging
from batching_demo.cli.process.streams import lost_output, open_standard_streams
from batching_demo.contracts.errors import UserError
from batching_demo.settings import Settings, SettingsError

if TYPE_CHECKING:
    from temporalio.service import RPCError

COMMANDS = {
    "batcher": "batcher.group.batcher",
    "batches": "batches.batches",
    "codec-server": "codec_server.codec_server",
    "compare": "comparison.compare.compare_command",
    "db": "db.group.db",
    "dead-letters": "dead_letters.group.dead_letters",
    "demo": "comparison.demo.demo",
    "dev": "dev.dev",
    "doctor": "doctor.doctor",
    "intake": "intake.group.intake",
    "main": "main.group.main_group",
    "psql": "psql.psql",
    "receipts": "receipts.receipts",
    "submit": "submitting.submit.submit",
    "targets": "targets.group.targets",
}
"""Where each command is. It is loaded when it is used: a main worker needs no SQLAlchemy."""


class CommandGroup(click.Group):
    """The commands, which may raise the errors of every layer below."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].rpartition(".")
        command: click.Command = getattr(import_module(f"batching_demo.cli.{module}"), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is called; of one that does not exist, suggest those like it."""
        try:
            return super().resolve_command(ctx, args)
        except NoSuchCommand as error:
            # click looks for them among those that are loaded.
            raise NoSuchCommand(error.command_name, possibilities=COMMANDS, ctx=ctx) from None

    def main(self, *arguments: Any, **extra: Any) -> NoReturn:
        """Run a command and exit, with one line for whatever it raises."""
        extra["standalone_mode"] = False
        code = exit_code_of(lambda: super(CommandGroup, self).main(*arguments, **extra))
        sys.exit(code)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments, after a check of the whole line."""
        if not ctx.resilient_parsing:
            check_given_once(self, ctx, args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an error with a message for the user ends it with that line."""
        try:
            return super().invoke(ctx)
        except UserError as error:
            raise CommandFailure(f"{error}{_place(error, ctx.obj)}", error.exit_code) from None
        except _rpc_error() as error:
            raise CommandFailure(
                f"Temporal{_at(ctx.obj)}: {error.message} ({error.status.name})", FAILED
            ) from None
        except KeyboardInterrupt:
            raise CommandFailure("interrupted", INTERRUPTED) from None


def _rpc_error() -> "type[RPCError] | tuple[()]":
    """Return what the SDK of Temporal raises: nothing, before a command has loaded it."""
    service = sys.modules.get("temporalio.service")
    return service.RPCError if service else ()


def _place(error: UserError, settings: Settings) -> str:
    """Name the database that failed."""
    from batching_demo.database.connection.reading import describe_database
    from batching_demo.database.errors import DatabaseFailedError

    if not isinstance(error, DatabaseFailedError):
        return ""
    # What names it may be wrong, if the command had servers of its own.
    try:
        return f" ({describe_database(settings)})"
    except SettingsError:
        return ""


def _at(settings: Settings) -> str:
    """Name the address of Temporal."""
    from batching_demo.temporal.target import choose_temporal

    try:
        return f" at {choose_temporal(settings)}"
    except SettingsError:
        return ""


@click.group(
    name="batching-demo",
    cls=CommandGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
)
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


def run(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command as a process.

    Python is not finalised: a thread of Temporal's runtime that wakes up meanwhile aborts the
    process (seen now and then after short commands, with temporalio 1.35).
    """
    if sys.platform == "win32":
        sys.exit("Error: batching-demo runs on Linux and on macOS: on Windows, run it in WSL")
    open_standard_streams()
    exit_code = exit_code_of(lambda: app.main(arguments))
    if reason := lost_output():
        click.echo(f"Error: standard output could not be written: {reason}", err=True)
        exit_code = FAILED
    sys.stderr.flush()
    os._exit(exit_code)
