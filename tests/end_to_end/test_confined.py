"""Workers without any rights: read-only files, no capabilities, an unknown user, process id 1."""

import json
import signal
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.commands import aside
from tests.support.confinement import Confined, confined
from tests.support.database import expect_rows, expect_waiting_writes, locked_table
from tests.support.debian import needs_bubblewrap
from tests.support.processes import line_with
from tests.support.waiting import in_time

pytestmark = needs_bubblewrap


@pytest.fixture
def state(tmp_path: Path) -> Path:
    directory = tmp_path / "state"
    directory.mkdir()
    return directory


def assert_confined(worker: Confined) -> None:
    status = worker.status
    assert status["NSpid"].split()[-1] == "1"
    assert (int(status["CapEff"], 16), status["NoNewPrivs"]) == (0, "1")


@pytest.mark.usefixtures("on_servers")
async def test_workers_need_no_rights_and_write_no_files(
    servers: dict[str, str], engine: AsyncEngine, state: Path
) -> None:
    async with (
        confined(servers, state, "main", "worker") as main,
        confined(servers, state, "batcher", "worker") as batcher,
    ):
        assert (await aside("batcher", "start", "--linger", "0.2")).exit_code == 0
        started = await aside("main", "start", "--workflows", "3", "--json")
        assert json.loads(started.stdout)["written"] == 3, started.output
        await expect_rows(engine, 3)
        for worker in (main, batcher):
            assert_confined(worker)
        async with locked_table(engine):
            assert (await aside("main", "start", "--workflows", "4", "--no-wait")).exit_code == 0
            await expect_waiting_writes(engine, 1)
            batcher.signal(signal.SIGTERM)
            await line_with(batcher.sandbox, "finishing what is running")
            batcher.signal(signal.SIGTERM)
            assert (await batcher.end())[0] == 130
        main.signal(signal.SIGTERM)
        code, output = await main.end()
        assert code == 0, output
    assert list(state.iterdir()) == []


async def test_a_first_process_that_waits_for_temporal_can_be_stopped(state: Path) -> None:
    """The system drops signals to a first process that it has no handler for."""
    nowhere = {"TEMPORAL_ADDRESS": "127.0.0.1:1"}
    async with confined(nowhere, state, "main", "worker") as worker:
        await line_with(worker.sandbox, "trying again")
        worker.signal(signal.SIGTERM)
        code, output = await in_time(worker.end())
    assert (code, output.splitlines()[-1:]) == (130, ["Error: interrupted"])
