"""How a command ends: with an exit code, and with one line for whatever it raises."""

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import click

from batching_demo.cli.exit_codes import FAILED, INTERRUPTED

TRACEBACK = "BATCHING_DEMO_TRACEBACK"
PACKAGE = Path(__file__).parents[2]


class CommandFailure(click.ClickException):
    """Ends a command with one line and an exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self._exit_code = exit_code

    @property
    def exit_code(self) -> int:  # type: ignore[override]  # click reads it from the instance
        """The code that the process ends with."""
        return self._exit_code


def exit_code_of(command: Callable[[], object]) -> int:
    """Run a command, print one line for an error, and return the exit code."""
    try:
        result = command()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("Error: interrupted", err=True)
        return INTERRUPTED
    except Exception as error:
        click.echo(f"Error: {_last_resort(error)}", err=True)
        return FAILED
    # Click returns the code of a command that has ended itself, such as --help.
    return result if isinstance(result, int) else 0


def _last_resort(error: Exception) -> str:
    """Name an unexpected error; its message may quote records or passwords."""
    if os.environ.get(TRACEBACK):
        traceback.print_exc(file=sys.stderr)
    return (
        f"unexpected {type(error).__name__} at {_place(error)}: please report this to the"
        f" maintainers of batching-demo, with the traceback that {TRACEBACK}=1 shows"
    )


def _place(error: Exception) -> str:
    """Name the last line of this package that was running."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(PACKAGE)]
    last = (ours or frames)[-1]
    name = Path(last.filename)
    place = name.relative_to(PACKAGE.parent) if name.is_relative_to(PACKAGE) else name.name
    return f"{place}:{last.lineno}"
