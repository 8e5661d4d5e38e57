"""The code of examples/orders, as docs/workflows.md and docs/tables.md show it, on real servers."""

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.batcher_service.verdicts import gather
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.database.engine import create_transactional_engine
from batching_demo.database.migrations import newest_revision
from batching_demo.database.writes import write_unbatched
from batching_demo.operator.start import start_batchers
from examples.orders import create_orders, table
from examples.orders.start import start
from examples.orders.worker import build_worker
from examples.orders.workflow import Order
from tests.support.database import execute, fetch, scalar
from tests.support.records import record, submission
from tests.support.services import batcher_service

ROOT = Path(__file__).parents[2]
PAGES = {"README.md": 1, "docs/workflows.md": 3, "docs/tables.md": 3}
"""With the number of their blocks of Python."""
QUICK = BatcherSettings(linger_seconds=1)


async def run_module(environment: dict[str, str], *arguments: str) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-u", "-m", *arguments),
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=PIPE,
        stderr=PIPE,
    )


async def test_orders_of_many_workflows_share_a_batch(
    client: Client, engine: AsyncEngine, servers: dict[str, str]
) -> None:
    await start_batchers(client, 1, BatcherSettings(max_records=20, linger_seconds=60))
    worker = await run_module(servers, "examples.orders.worker")
    try:
        async with batcher_service(client, engine):
            starter = await run_module(servers, "examples.orders.start", "20")
            output, errors = await asyncio.wait_for(starter.communicate(), 60)
    finally:
        worker.terminate()
        await worker.communicate()
    assert (output.decode(), starter.returncode) == ("{'written': 20}\n", 0), errors.decode()
    assert await fetch(engine, "SELECT rows, batches FROM write_counts") == [(20, 1)]
    stored = "SELECT payload FROM records WHERE idempotency_key = 'order/A-7'"
    assert await scalar(engine, stored) == {"order_id": "A-7", "item": "apple", "quantity": 7}


async def test_an_order_that_cannot_be_stored_is_told_so(
    client: Client, engine: AsyncEngine
) -> None:
    await start_batchers(client, 1, QUICK)
    orders = [Order("1", "apple", 1), Order("2", "a NUL: \0", 1)]
    async with batcher_service(client, engine), build_worker(client):
        counted = await start(client, orders)
    assert counted == {"written": 1, "rejected": 1}
    assert await fetch(engine, "SELECT reason, source FROM dead_letters") == [("nul", "orders")]


def create_table(connection: Connection) -> None:
    context = MigrationContext.configure(connection)
    with Operations.context(context):
        create_orders.upgrade()
    found = compare_metadata(context, table.orders.metadata)
    assert [one for one in found if "orders" in str(one)] == []


@pytest.fixture
async def orders_table(database_url: str) -> None:
    """A database that has the table of orders."""
    migration = create_transactional_engine(database_url, application_name="tests")
    async with migration.begin() as connection:
        await connection.run_sync(create_table)
    await migration.dispose()


@pytest.mark.usefixtures("orders_table")
async def test_a_table_of_its_own(
    client: Client, engine: AsyncEngine, servers: dict[str, str]
) -> None:
    await start_batchers(client, 1, QUICK)
    too_many = Order("3", "pear", 2**31)
    orders = [Order("1", "apple", 1), Order("2", "pear", 2), too_many]
    batcher_worker = await run_module(servers, "examples.orders.batcher_worker")
    try:
        async with build_worker(client):
            assert await start(client, orders) == {"written": 2, "rejected": 1}
            assert await start(client, [orders[0]]) == {"written": 1}
            assert await start(client, [Order("2", "plum", 2)]) == {"conflict": 1}
    finally:
        batcher_worker.terminate()
        await batcher_worker.communicate()
    stored = await fetch(engine, "SELECT idempotency_key, item, quantity FROM orders ORDER BY 1")
    assert stored == [("order/1", "apple", 1), ("order/2", "pear", 2)]
    assert await scalar(engine, "SELECT count(*) FROM records") == 0
    letters = await fetch(engine, "SELECT reason, sqlstate FROM dead_letters ORDER BY id")
    assert letters == [("refused_by_postgres", "22003"), ("conflict", None)]


@pytest.mark.usefixtures("orders_table", "client")
async def test_a_batcher_worker_ends_in_one_line_if_its_table_does_not_fit(
    engine: AsyncEngine, servers: dict[str, str]
) -> None:
    await execute(engine, "ALTER TABLE orders DROP COLUMN item")
    worker = await run_module(servers, "examples.orders.batcher_worker")
    output, errors = await asyncio.wait_for(worker.communicate(), 60)
    assert (output.decode(), worker.returncode) == ("polls batcher-queue\n", 1)
    assert errors.decode() == (
        'table orders does not fit its Target: column "item" of relation "orders" does not exist'
        " (SQLSTATE 42703): change the table or the Target\n"
    )


@pytest.mark.usefixtures("orders_table")
async def test_a_table_of_its_own_takes_single_rows(engine: AsyncEngine) -> None:
    rows = gather([submission("s", [record("1", {"item": "apple", "quantity": 1})])]).rows
    for _ in range(2):
        assert (await write_unbatched(engine, rows, table.ORDERS)).codes == ["w"]
    assert await fetch(engine, "SELECT item, quantity FROM orders") == [("apple", 1)]


def test_the_migration_follows_the_newest_one() -> None:
    assert create_orders.down_revision == newest_revision()


@pytest.mark.parametrize(("page", "number"), PAGES.items())
def test_a_page_shows_the_code_that_is_tested(page: str, number: int) -> None:
    files = [path.read_text() for path in sorted((ROOT / "examples").rglob("*.py"))]
    text = (ROOT / page).read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) == number
    for block in blocks:
        assert any(block in text for text in files), block
