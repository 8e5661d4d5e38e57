"""All that dashboard, alerts and KEDA use is there after some work of every kind."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.batcher_service.batcher.workflow import BatcherWorkflow
from batching_demo.contracts.encoding import join
from batching_demo.contracts.names import BATCHER_TASK_QUEUE, SUBMIT_SIGNAL
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.devstack.ports import find_free_port
from batching_demo.operator.start import start_batchers
from tests.support.commands import aside, run
from tests.support.manifests import queries_of_keda
from tests.support.processes import finish, start, worker
from tests.support.records import record, submission
from tests.support.root import ROOT
from tests.support.scraping import Sample, scrape, total
from tests.support.waiting import eventually

MONITORING = ROOT / "monitoring"
SIGNALS = 500
"""More than a run gets here before the server suggests another one."""
USED = re.compile(r"\b(?:batching|temporal)_\w+")


def expressions(document: Any) -> Iterator[str]:
    """Find what is under the name `expr`, at any depth."""
    if isinstance(document, dict):
        for name, value in document.items():
            if name == "expr":
                yield value
            else:
                yield from expressions(value)
    elif isinstance(document, list):
        for one in document:
            yield from expressions(one)


ALERTS: Any = YAML(typ="safe").load(MONITORING / "alerts.yml")
DASHBOARD = json.loads((MONITORING / "grafana" / "dashboards" / "batching.json").read_text())
EXPRESSIONS = [*expressions(ALERTS), *expressions(DASHBOARD), *queries_of_keda()]


@dataclass(frozen=True)
class Workers:
    """Where the two serve their metrics."""

    batcher: str
    main: str

    async def scrape(self) -> list[Sample]:
        return [*await scrape(self.batcher), *await scrape(self.main)]


@asynccontextmanager
async def measured_workers(servers: dict[str, str]) -> AsyncIterator[Workers]:
    async with (
        measured_worker({**servers, "BATCHING_DEMO_LINGER": "0.3"}, "batcher_worker.py") as batcher,
        measured_worker(servers, "main_worker.py") as main,
    ):
        yield Workers(batcher, main)


@asynccontextmanager
async def measured_worker(servers: dict[str, str], script: str) -> AsyncIterator[str]:
    """Run a worker; yield where it serves its metrics."""
    address = f"127.0.0.1:{find_free_port()}"
    async with worker({**servers, "BATCHING_DEMO_METRICS_BIND": address}, script):
        # One that is told to stop before it polls has not learnt yet to stop in order.
        await eventually(partial(expect_polling, address))
        yield address


async def expect_polling(address: str) -> None:
    try:
        samples = await scrape(address)
    except OSError:
        raise AssertionError from None
    assert total(samples, "temporal_num_pollers") > 0


async def load(path: Path, *arguments: str, code: int = 0) -> None:
    result = await aside("main", "start", "--input", str(path), *arguments)
    assert result.exit_code == code, result.output


def write_lines(path: Path, keys: list[str]) -> Path:
    path.write_text("".join(json.dumps({"id": key}) + "\n" for key in keys))
    return path


async def refuse_some_keys(engine: AsyncEngine) -> None:
    refuse = "ALTER TABLE records ADD CHECK (idempotency_key NOT LIKE 'bad%')"
    async with engine.connect() as connection:
        await connection.execute(text(refuse))


async def continue_as_new(client: Client) -> None:
    """Signal a batcher more often than the server lets a run grow."""
    batcher = client.get_workflow_handle("batcher-0")
    run_id = (await batcher.describe()).run_id
    for first in range(0, SIGNALS, 50):
        numbers = range(first, first + 50)
        await asyncio.gather(*(batcher.signal(SUBMIT_SIGNAL, args=_one(n)) for n in numbers))

    async def is_another_run() -> None:
        assert (await batcher.describe()).run_id != run_id

    await eventually(is_another_run)


def _one(number: int) -> Sequence[object]:
    return join([submission(f"s{number}", [record(f"k{number}")], requester="nobody")])


async def work_of_every_kind(client: Client, engine: AsyncEngine, directory: Path) -> None:
    await start_batchers(client, 1, BatcherSettings(linger_seconds=0.3))
    batcher = client.get_workflow_handle("batcher-0")
    await refuse_some_keys(engine)
    keys = [f"good{n}" for n in range(10)] + ["bad"]
    file = write_lines(directory / "some.ndjson", keys)
    key = ("--key", "id")
    await load(file, *key, "--records-per-workflow", "11", code=3)
    for path in ("coalesced", "unbatched"):
        other = write_lines(directory / f"{path}.ndjson", [f"{path}1", f"{path}2"])
        await load(other, *key, "--write-path", path, "--linger", "0.1")
    await continue_as_new(client)
    await batcher.execute_update(BatcherWorkflow.drain)
    late = write_lines(directory / "late.ndjson", ["late"])
    loading = asyncio.create_task(load(late, *key))

    async def has_turned_away() -> None:
        assert (await batcher.query(BatcherWorkflow.status)).totals.turned_away == 1

    await eventually(has_turned_away)
    await batcher.execute_update(BatcherWorkflow.resume)
    await loading
    # Arguments that it cannot read fail its first task, again and again.
    await client.start_workflow(
        "BatcherWorkflow", "no input", id="broken", task_queue=BATCHER_TASK_QUEUE
    )


@pytest.mark.usefixtures("on_servers")
async def test_all_that_is_looked_at_is_there(
    client: Client, engine: AsyncEngine, servers: dict[str, str], tmp_path: Path
) -> None:
    async with measured_workers(servers) as workers:
        await work_of_every_kind(client, engine, tmp_path)
        named = {name for expression in EXPRESSIONS for name in USED.findall(expression)}
        # Those of queues are there only where one is consumed: see the tests of the intake.
        used = {name for name in named if not name.startswith("batching_queue_")}

        async def all_are_there() -> list[Sample]:
            samples = await workers.scrape()
            assert used - {sample.name for sample in samples} == set()
            assert total(samples, "batching_dead_letters", state="open") == 1
            return samples

        check_counts(await eventually(all_are_there))
    await expect_no_count_of_what_is_replayed(client, servers)


def check_counts(samples: list[Sample]) -> None:
    for path, number in (("batched", 10 + SIGNALS + 1), ("coalesced", 2), ("unbatched", 2)):
        labels = {"write_path": path, "verdict": "written"}
        assert total(samples, "batching_records_total", **labels) == number
        shards = {
            sample.labels.get("shard")
            for sample in samples
            if sample.name == "batching_records_total" and sample.labels["write_path"] == path
        }
        assert shards == ({"0"} if path == "batched" else {None})
    assert total(samples, "batching_records_total", verdict="rejected") == 1
    # Eleven records with a bad one at the end: halves of 5, 8, 9 and 10 in front of it.
    assert 4 <= total(samples, "batching_bisect_statements_total") <= 8
    assert total(samples, "batching_busy_answers_total") == 1
    runs = total(samples, "batching_continued_as_new_total", cause="history")
    assert runs == total(samples, "temporal_workflow_continue_as_new_total") > 0
    assert total(samples, "batching_confirmations_total", result="delivered") == 2
    assert total(samples, "batching_buffer_records") == 0
    assert total(samples, "batching_pool_connections_in_use") == 0
    assert total(samples, "batching_database_up") == 1
    assert total(samples, "batching_batch_records_sum") == 11 + SIGNALS + 1 + 2


async def expect_no_count_of_what_is_replayed(client: Client, servers: dict[str, str]) -> None:
    """Another worker replays the run in which somebody was turned away."""
    async with measured_worker(servers, "batcher_worker.py") as address:
        batcher = client.get_workflow_handle("batcher-0")
        assert (await batcher.query(BatcherWorkflow.status)).totals.turned_away == 1

        async def has_replayed() -> list[Sample]:
            samples = await scrape(address)
            assert total(samples, "temporal_workflow_task_execution_latency_seconds_count") > 0
            return samples

        # The SDK answers first, and counts then.
        samples = await eventually(has_replayed)
        counted = [one for one in samples if one.name == "batching_busy_answers_total"]
        assert sum(sample.value for sample in counted) == 0


async def test_a_busy_address_ends_a_worker_with_one_line(servers: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for script in ("batcher_worker.py", "main_worker.py"):
            process = await start(servers, script, "--metrics-bind", address)
            assert await finish(process) == (
                1,
                "",
                f"Error: no metrics at {address}: address already in use;"
                " give --metrics-bind an address of this machine and a free port\n",
            )


@pytest.mark.parametrize(
    ("bind", "said"),
    [
        ("9464", "write HOST:PORT, such as 127.0.0.1:9464"),
        ("127.0.0.1:99999", "write HOST:PORT, such as 127.0.0.1:9464"),
        (":9464", "write HOST:PORT, such as 127.0.0.1:9464"),
        ("no-such-host.invalid:9464", "the host 'no-such-host.invalid' is not known"),
    ],
)
def test_an_unusable_address_is_named(bind: str, said: str) -> None:
    result = run("main", "worker", "--metrics-bind", bind)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"Error: no metrics at {bind}: {said}\n"
