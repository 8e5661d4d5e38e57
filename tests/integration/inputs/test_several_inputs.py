"""`main start` with several inputs: all are loaded, each by itself, and the counts add up."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.contracts.operations import BatcherSettings
from batching_demo.operator.start import start_batchers
from tests.support import commands
from tests.support.commands import aside
from tests.support.database import fetch
from tests.support.processes import finish
from tests.support.root import ROOT
from tests.support.services import both_services
from tests.support.waiting import in_time

pytestmark = pytest.mark.usefixtures("on_servers")


async def load(*arguments: str) -> tuple[dict[str, int], str]:
    """Load inputs; return the counts that are not 0, and what is said on standard error."""
    result = await in_time(aside("main", "start", "--key", "id", "--json", *arguments))
    assert result.exit_code == 0, result.output
    return _counts(result.stdout), "\n".join(commands.said(result))


def _counts(output: str) -> dict[str, int]:
    counts = json.loads(output)
    for name in ("seconds", "workflows", "started", "attached"):
        del counts[name]
    return {name: number for name, number in counts.items() if number}


async def from_shell(arguments: str) -> dict[str, int]:
    """Load inputs that only a shell can name."""
    program = f"{sys.executable} -m batching_demo main start --key id --json"
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", f"{program} {arguments}"),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, output, errors = await in_time(finish(process))
    assert output, errors
    return _counts(output)


async def test_several_inputs(client: Client, engine: AsyncEngine, tmp_path: Path) -> None:
    directory, other = tmp_path / "directory", tmp_path / "other.csv"
    directory.mkdir()
    (directory / "_SUCCESS").write_text("")
    (directory / "a.csv").write_text("id,item\n1,apple\n2,pear\n")
    (directory / "b.ndjson").write_text('{"id": 3}\n{"id": "日本"}\n{"id": 5}\n')
    (directory / "c.csv").write_text("id,item\n1,apple\n2,pear\n")
    other.write_text("id,item\n1,apple\n6,plum\n")
    arguments = ("--input", str(directory), "--input", str(other))
    await start_batchers(client, 1, BatcherSettings(linger_seconds=0.2))
    async with both_services(client, engine):
        counts, said = await load(*arguments)
        assert counts == {"read": 7, "written": 6, "duplicate": 1}
        assert said == "c.csv has the content of a.csv, and is loaded once"
        stored = await fetch(engine, "SELECT DISTINCT source FROM records")
        assert {source for (source,) in stored} == {"a.csv", "b.ndjson", "other.csv"}

        # What is done already is known of each file by itself.
        (directory / "b.ndjson").write_text('{"id": 3}\n{"id": "日本"}\n{"id": 7}\n')
        counts, _ = await load(*arguments)
        assert counts == {"read": 7, "already_done": 4, "duplicate": 2, "written": 1}
        counts, _ = await load(*arguments, "--workflows", "3", "--again")
        assert counts == {"read": 3, "duplicate": 3}

        descriptors = f"--input /dev/stdin --input <(sed s/6/8/ {other}) --format csv < {other}"
        assert await from_shell(descriptors) == {
            "read": 4,
            "already_done": 2,
            "written": 1,
            "duplicate": 1,
        }
