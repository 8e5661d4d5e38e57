"""The code of examples/orders, as docs/workflows.md and docs/tables.md show it, on real servers."""

import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.contracts.names import BATCHER_TASK_QUEUE
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.database.engine import create_transactional_engine
from batching_demo.operator.start import start_batchers
from batching_demo.temporal.pollers import wait_for_pollers
from examples.orders import create_orders
from tests.support.database import fetch
from tests.support.root import ROOT

TARGETS = "examples/orders/targets.toml"
PAGES = {"README.md": 1, "docs/workflows.md": 2, "docs/tables.md": 2}
"""With the number of their blocks of Python."""


async def run_module(environment: dict[str, str], *arguments: str) -> Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-u", "-m", *arguments),
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=PIPE,
        stderr=PIPE,
    )


def create_table(connection: Connection) -> None:
    with Operations.context(MigrationContext.configure(connection)):
        create_orders.upgrade()


@pytest.fixture
async def _orders_table(database_url: str) -> None:
    """A database that has the table of orders."""
    migration = create_transactional_engine(database_url, application_name="tests")
    async with migration.begin() as connection:
        await connection.run_sync(create_table)
    await migration.dispose()


@asynccontextmanager
async def workers(servers: dict[str, str]) -> AsyncIterator[None]:
    """Run the commands of the page in processes of their own."""
    processes = [
        await run_module(servers, "batching_demo", "batcher", "worker", "--targets", TARGETS),
        await run_module(servers, "examples.orders.worker"),
    ]
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            await process.communicate()


async def run(client: Client, name: str, quantity: object, item: str = "tea") -> Any:
    order = {"order_id": name, "item": item, "quantity": quantity}
    return await client.execute_workflow(
        "OrderWorkflow", order, id=f"order-{name}-{item}", task_queue="orders"
    )


@pytest.mark.usefixtures("_orders_table")
async def test_orders_of_many_workflows_share_a_batch_and_each_gets_its_id(
    client: Client, engine: AsyncEngine, servers: dict[str, str]
) -> None:
    await start_batchers(client, 1, BatcherSettings(max_records=20, linger_seconds=5))
    async with workers(servers):
        await wait_for_pollers(client, BATCHER_TASK_QUEUE)
        found = await asyncio.gather(*(run(client, f"A-{n}", n or -1) for n in range(20)))
        assert await run(client, "A-7", 8, "coffee") == {"verdict": "conflict", "id": None}
    stored: list[Any] = await fetch(engine, "SELECT order_no, id FROM orders WHERE quantity > 0")
    ids = dict(stored)
    assert found == [
        {"verdict": "written" if n else "rejected", "id": ids.get(f"A-{n}")} for n in range(20)
    ]
    assert len(ids) == 19
    letters = await fetch(engine, "SELECT target, reason, sqlstate FROM dead_letters ORDER BY id")
    assert letters == [
        ("orders", "refused_by_postgres", "23514"),
        ("orders", "conflict", None),
    ]


def blocks_of(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(("page", "number"), PAGES.items())
def test_a_page_shows_the_code_that_is_tested(page: str, number: int) -> None:
    files = [path.read_text() for path in sorted((ROOT / "examples").rglob("*.py"))]
    blocks = blocks_of(page, "python")
    assert len(blocks) == number
    for block in blocks:
        assert any(block in text for text in files), block


def test_the_page_shows_the_declaration_that_is_tested() -> None:
    assert blocks_of("docs/tables.md", "toml") == [(ROOT / TARGETS).read_text()]
