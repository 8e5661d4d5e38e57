"""Real files through the command line and both services, as a person would load them."""

import asyncio
import csv
import json
from collections import Counter
from collections.abc import AsyncIterator
from itertools import islice
from pathlib import Path
from random import Random

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.contracts.operations import BatcherSettings
from batching_demo.main_service.samples import FLIGHTS_KEY, flights
from batching_demo.operator.start import start_batchers
from tests.support.commands import aside
from tests.support.database import fetch, scalar
from tests.support.preparing import CASES
from tests.support.processes import finish, start
from tests.support.services import both_services
from tests.support.waiting import eventually

START = "start_main_workflows.py"


@pytest.fixture
async def services(on_servers: None, client: Client, engine: AsyncEngine) -> AsyncIterator[None]:
    """Both services in this process, and a quick batcher."""
    async with both_services(client, engine):
        await start_batchers(client, 1, BatcherSettings(linger_seconds=0.3))
        yield


async def load(*arguments: str) -> tuple[int, list[str], str]:
    result = await aside("main", "start", *arguments)
    assert "Traceback" not in result.stderr
    return result.exit_code, result.stdout.splitlines(), result.stderr.strip()


def counts_line(read: int, **verdicts: int) -> str:
    names = ("written", "duplicate", "conflict", "rejected", "already_done")
    counted = ", ".join(f"{verdicts.get(name, 0)} {name.replace('_', ' ')}" for name in names)
    return f"{read} records: {counted}"


@pytest.mark.usefixtures("services")
async def test_case_files(engine: AsyncEngine) -> None:
    def case(name: str) -> tuple[str, ...]:
        return ("--input", str(CASES / name), "--key", "key", "--records-per-workflow", "10")

    code, output, _ = await load(*case("C13_header_only.csv"))
    assert (code, output) == (0, ["0 records: nothing to do"])
    code, output, errors = await load(*case("C07_latin1.csv"))
    assert (code, output) == (2, [])
    assert errors.startswith("Error: C07_latin1.csv, line 3: byte 0xE9 is not UTF-8")
    assert len(errors.splitlines()) == 1

    code, output, _ = await load(*case("B05_duplicate_keys.csv"))
    assert (code, output[-1]) == (3, counts_line(10, written=7, duplicate=2, conflict=1))
    code, output, _ = await load(*case("B05_duplicate_keys.csv"), "--again")
    assert (code, output[-1]) == (3, counts_line(10, duplicate=9, conflict=1))
    assert await scalar(engine, "SELECT count(*) FROM records") == 7
    assert await scalar(engine, "SELECT count(*) FROM dead_letters") == 1

    await _truncate(engine)
    code, output, _ = await load(*case("C07_latin1.csv"), "--encoding", "latin-1")
    assert (code, output[-1]) == (0, counts_line(3, written=3))
    name = "SELECT source, payload->>'name' FROM records WHERE line = 3"
    assert await fetch(engine, name) == [("C07_latin1.csv", "Café nº 2")]


async def _truncate(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await connection.exec_driver_sql("TRUNCATE records, dead_letters")


@pytest.mark.usefixtures("services")
async def test_a_changed_file_under_the_same_name_is_another_input(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("id,item\n1,apple\n2,pear\n")
    arguments = ("--input", str(path), "--key", "id")
    assert (await load(*arguments))[1][-1] == counts_line(2, written=2)
    path.write_text("id,item\n1,apple\n2,pear\n3,plum\n")
    assert (await load(*arguments))[1][-1] == counts_line(3, duplicate=2, written=1)
    path.write_text("id,item\n1,apple\n2,pear\n")
    assert (await load(*arguments))[1][-1] == counts_line(2, already_done=2)
    # Without a key, what is appended to makes all lines new records.
    assert (await load(*arguments[:2]))[1][-1] == counts_line(2, written=2)
    path.write_text("id,item\n1,apple\n2,pear\n3,plum\n")
    assert (await load(*arguments[:2]))[1][-1] == counts_line(3, written=3)
    assert await scalar(engine, "SELECT count(*) FROM records") == 8


@pytest.mark.usefixtures("services")
async def test_a_starter_killed_again_and_again_goes_on_where_it_was(
    servers: dict[str, str], engine: AsyncEngine, client: Client
) -> None:
    arguments = ("--workflows", "60", "--records-per-workflow", "5", "--max-open", "4", "--json")
    random = Random()
    starter = await start(servers, START, *arguments)
    for _ in range(2):
        rows = await scalar(engine, "SELECT count(*) FROM records")

        async def more_rows(before: object = rows) -> None:
            assert await scalar(engine, "SELECT count(*) FROM records") != before

        await eventually(more_rows)
        await asyncio.sleep(random.uniform(0, 0.3))
        assert starter.returncode is None
        starter.kill()
        await finish(starter)
        starter = await start(servers, START, *arguments)
    code, output, _ = await finish(starter)
    counts = json.loads(output)
    assert code == 0
    assert counts["read"] == counts["written"] + counts["already_done"] == 300
    assert 0 < counts["already_done"] < 300

    runs = Counter[str]()
    async for main in client.list_workflows("WorkflowType = 'MainWorkflow'"):
        runs[main.id] += 1
    assert (len(runs), set(runs.values())) == (60, {1})
    with flights().open(newline="") as file:
        rows_read = islice(csv.DictReader(file), 300)
        keys = {"|".join(row[name] for name in FLIGHTS_KEY) for row in rows_read}
    stored = await fetch(engine, "SELECT idempotency_key FROM records")
    assert {key for (key,) in stored} == keys
    assert len(stored) == len(keys) == 300
    assert await scalar(engine, "SELECT count(*) FROM dead_letters") == 0
