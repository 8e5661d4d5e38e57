"""Run `batching-demo` in the test's own process, and judge what it says."""

import asyncio
from collections.abc import Iterator
from typing import Any

import click
from click.testing import CliRunner, Result

from batching_demo.cli.app import app
from tests.support.shapes import parsed


def tree(
    command: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield a command and all below it, each with its path."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner
            yield from tree(inner, (*path, name))


def run(*arguments: str) -> Result:
    """Run a command to its end."""
    return CliRunner().invoke(app, list(arguments))


async def aside(*arguments: str) -> Result:
    """Run a command on an event loop of its own, while this test's workers run."""
    return await asyncio.to_thread(run, *arguments)


def said(result: Result) -> list[str]:
    """List the lines on standard error but those that name the servers."""
    lines = result.stderr.splitlines()
    return [line for line in lines if not line.startswith(("Postgres: ", "Temporal: "))]


def assert_one_line(result: Result, exit_code: int, *said: str) -> None:
    """Assert that a command failed with one line that says these words, and nothing secret."""
    lines = result.stderr.strip().splitlines()
    assert result.exit_code == exit_code, result.output
    assert [line for line in lines if line.startswith("Error: ")] == lines[-1:], lines
    for words in said:
        assert words in lines[-1]
    assert "Traceback" not in result.output
    assert "hunter2" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)


async def dead_letters(*arguments: str) -> Result:
    """Run a command of `batching-demo dead-letters`."""
    return await aside("dead-letters", *arguments)


async def dead_letters_json(*arguments: str) -> dict[str, Any]:
    """Run a command of `batching-demo dead-letters`; return what it says as JSON."""
    printed = (await dead_letters(*arguments, "--json")).stdout
    document: dict[str, Any] = parsed(f"dead-letters {arguments[0]}", printed)
    return document
