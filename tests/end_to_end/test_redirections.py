"""What a shell does with the output of a command changes nothing of what the command does."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from pathlib import Path

import pytest

ENVIRONMENT = {
    "DATABASE_URL": "postgresql://ann@127.0.0.1:1/shop",
    "PATH": os.defpath,
    "TEMPORAL_ADDRESS": "127.0.0.1:1",
}
PROGRAM = [sys.executable, "-P", "-m", "batching_demo"]


async def through_shell(
    script: str, directory: Path, *arguments: str, **variables: str
) -> tuple[int | None, str, str]:
    """Run a command through bash, where the script calls it "$@"."""
    environment: Mapping[str, str] = {**ENVIRONMENT, "HOME": str(directory), **variables}
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", script, "bash", *PROGRAM, *arguments),
        env=environment,
        cwd=directory,
        stdout=PIPE,
        stderr=PIPE,
    )
    output, errors = await process.communicate()
    return process.returncode, output.decode(), errors.decode()


FULL = "Error: standard output could not be written: No space left on device\n"


@pytest.mark.parametrize(
    ("script", "code", "errors"),
    [
        ('"$@" >&-', 0, ""),
        ('"$@" <&- >&- 2>&-', 0, ""),
        ('"$@" 2>/dev/full', 0, ""),
        ('"$@" | true; exit ${PIPESTATUS[0]}', 0, ""),
        ('"$@" >/dev/full', 1, FULL),
    ],
)
async def test_the_exit_code_is_that_of_the_work(
    script: str, code: int, errors: str, tmp_path: Path
) -> None:
    arguments = ["db", "url"]
    ended, _, said = await through_shell(script, tmp_path, *arguments)
    assert (ended, said) == (code, errors)


@pytest.mark.parametrize(
    "arguments", ["dead-letters retry 1 --edit -", "main start --input - --format csv"]
)
async def test_closed_input_is_named(arguments: str, tmp_path: Path) -> None:
    ended, _, errors = await through_shell('"$@" <&-', tmp_path, *arguments.split())
    assert ended == 2
    assert "standard input is closed" in errors


async def test_a_refusal_keeps_its_code_without_a_reader(tmp_path: Path) -> None:
    ended, _, _ = await through_shell('"$@" >&- 2>&-', tmp_path, "db", "absent")
    assert ended == 2


async def test_what_an_encoding_lacks_is_escaped(tmp_path: Path) -> None:
    arguments = ["main", "start", "--input", "日本.csv"]
    locale = {"LC_ALL": "C", "PYTHONIOENCODING": "latin-1"}
    ended, _, errors = await through_shell('"$@"', tmp_path, *arguments, **locale)
    assert ended == 2
    assert "\\u65e5\\u672c.csv" in errors
    assert "Traceback" not in errors
