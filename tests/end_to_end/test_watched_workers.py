"""What can be seen of a worker from its log and from the database."""

import json
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.contracts.operations import BatcherSettings
from batching_demo.devstack.ports import find_free_port
from batching_demo.operator.start import start_batchers
from tests.support.batchers import expect_error, submit
from tests.support.commands import aside
from tests.support.database import fetch
from tests.support.processes import finish, start, worker
from tests.support.records import record
from tests.support.services import main_service
from tests.support.waiting import eventually

CONTENT = "what-nobody-else-may-read"


async def batch_lines(
    client: Client, servers: dict[str, str], directory: Path, environment: dict[str, str]
) -> list[str]:
    """Run a batcher worker on a few records and one that is refused; give back its log."""
    file = directory / "some.ndjson"
    file.write_text("".join(f'{{"id": {n}, "text": "{CONTENT}"}}\n' for n in range(5)) + "[1]\n")
    await start_batchers(client, 1, BatcherSettings(linger_seconds=0.3))
    process = await start({**servers, **environment}, "batcher_worker.py")
    async with main_service(client):
        arguments = ["--input", str(file), "--key", "id", "--records-per-workflow", "6"]
        assert (await aside("main", "start", *arguments)).exit_code == 3
    process.send_signal(signal.SIGTERM)
    code, _, errors = await finish(process)
    assert code == 0
    assert CONTENT not in errors
    return errors.splitlines()


@pytest.mark.usefixtures("on_servers")
async def test_json_lines_say_what_each_batch_was(
    client: Client, servers: dict[str, str], tmp_path: Path
) -> None:
    environment = {"BATCHING_DEMO_LOG_FORMAT": "json"}
    lines = await batch_lines(client, servers, tmp_path, environment)
    parsed: list[dict[str, Any]] = [json.loads(line) for line in lines]
    assert all(line.keys() >= {"time", "level", "logger", "message"} for line in parsed)
    (batch,) = [line for line in parsed if "batch_id" in line]
    expected = {
        "level": "INFO",
        "logger": "batching_demo.batcher_service.batch_writer",
        "shard": 0,
        "write_path": "batched",
        "reason": "age",
        "attempt": 1,
        "records": 6,
        "written": 5,
        "duplicate": 0,
        "conflict": 0,
        "rejected": 1,
        "workflow_id": "batcher-0",
    }
    assert expected.items() <= batch.items()
    assert batch["milliseconds"] >= 0
    description = await client.get_workflow_handle("batcher-0").describe()
    assert batch["run_id"] == description.run_id
    assert batch["activity_id"]
    assert batch["batch_id"] in batch["message"]


@pytest.mark.usefixtures("on_servers")
async def test_text_lines_stay_as_they_were(
    client: Client, servers: dict[str, str], tmp_path: Path
) -> None:
    lines = await batch_lines(client, servers, tmp_path, {})
    (batch,) = [line for line in lines if " INFO batch " in line]
    assert "shard 0 reason age: 5 written, 0 duplicate, 0 conflict, 1 rejected" in batch


async def test_sessions_name_their_worker(engine: AsyncEngine, servers: dict[str, str]) -> None:
    names = """
        SELECT DISTINCT application_name FROM pg_stat_activity WHERE datname = current_database()
    """
    address = f"127.0.0.1:{find_free_port()}"
    measured = {**servers, "BATCHING_DEMO_METRICS_BIND": address}
    async with worker(measured, "batcher_worker.py") as process:

        async def metrics_session() -> list[str]:
            found = [str(name) for (name,) in await fetch(engine, names)]
            assert any(name.startswith("batching-demo batcher metrics") for name in found)
            return found

        found = await eventually(metrics_session)
        (name,) = [name for name in found if "metrics" in name]
        assert name.startswith(f"batching-demo batcher metrics {socket.gethostname()}"[:50])
        assert name.endswith(f" pid {process.pid}")


async def test_json_lines_of_a_workflow_name_it(
    client: Client, empty_database_url: str, servers: dict[str, str]
) -> None:
    await start_batchers(client, 1, BatcherSettings(linger_seconds=0.1))
    unmigrated = {**servers, "DATABASE_URL": empty_database_url}
    process = await start({**unmigrated, "BATCHING_DEMO_LOG_FORMAT": "json"}, "batcher_worker.py")
    await submit(client, ("s", [record("k")]))
    await expect_error(client, "the schema is not migrated")
    process.send_signal(signal.SIGTERM)
    code, _, errors = await finish(process)
    assert code == 0
    parsed: list[dict[str, Any]] = [json.loads(line) for line in errors.splitlines()]
    of_workflow, *_ = [line for line in parsed if "not written, and kept" in line["message"]]
    assert of_workflow["workflow_id"] == "batcher-0"
    assert of_workflow["run_id"]
    assert of_workflow["message"].endswith("(SQLSTATE 42P01)")
    of_activity, *_ = [line for line in parsed if line["message"].startswith("database failed")]
    assert (of_activity["workflow_id"], of_activity["activity_id"]) == ("batcher-0", "1")
