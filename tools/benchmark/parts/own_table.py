"""The rest of part 1, write: an own table of typed columns against raw asyncpg."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import count
from typing import Any
from uuid import uuid4

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.comparison.report.numbers import short
from batching_demo.comparison.report.sections import Table
from batching_demo.contracts.encoding import RecordColumns
from batching_demo.contracts.messages import SubmissionHeader
from batching_demo.contracts.names import WritePath
from batching_demo.contracts.targets import TargetDeclaration
from batching_demo.database.targets.check import reflect
from batching_demo.database.targets.own_target import OwnTarget
from batching_demo.database.writing.rows import BatchInfo, Rows
from batching_demo.database.writing.writes import write_batch
from tools.benchmark.harness.timing import Call, Times, timed
from tools.benchmark.results.spread import Spread, ratios

SIZES = (100, 1_000)
TABLE = "benchmark_invoices"
COLUMNS: Mapping[str, str] = {
    "invoice_no": 'text COLLATE "C" NOT NULL UNIQUE',
    "customer": "text NOT NULL",
    "amount": "numeric(12,2)",
    "quantity": "integer",
    "issued_at": "timestamptz DEFAULT now()",
    "paid": "boolean",
}
CREATE = (
    f"CREATE TABLE {TABLE} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
    f" {', '.join(f'{name} {kind}' for name, kind in COLUMNS.items())})"
)
RAW = (
    f"INSERT INTO {TABLE} ({', '.join(COLUMNS)})"
    " SELECT * FROM unnest($1::text[], $2::text[],"
    " $3::numeric[], $4::integer[], $5::timestamptz[], $6::boolean[])"
    " ON CONFLICT (invoice_no) DO NOTHING RETURNING id, invoice_no"
)
BASE, OWN, RECEIPTS = "raw asyncpg, typed unnest", "own table", "own table with receipts"
Values = Sequence[tuple[Any, ...]]
"""The values of the columns of each row."""
Method = Callable[[Values, Rows], Awaitable[object]]
"""Writes the values, or the rows with the same as JSON."""


async def measure_own(engine: AsyncEngine, connection: asyncpg.Connection, rounds: int) -> Table:
    """Run all methods in each round, in random order, over new keys. The ids come back from all."""
    await connection.execute(CREATE)

    async def raw(values: Values, _: Rows) -> object:
        return await connection.fetch(RAW, *map(list, zip(*values, strict=True)))

    def into(target: OwnTarget) -> Method:
        batch = BatchInfo(uuid4(), WritePath.BATCHED, 0)
        return lambda _, rows: write_batch(engine, rows, batch, target)

    try:
        methods: dict[str, Method] = {BASE: raw}
        for name in (OWN, RECEIPTS):
            methods[name] = into(await _target(engine, receipts=name == RECEIPTS))
        return _table(await _measure(methods, rounds), rounds)
    finally:
        await connection.execute(f"DROP TABLE {TABLE}")


async def _target(engine: AsyncEngine, *, receipts: bool) -> OwnTarget:
    declaration = TargetDeclaration(
        TABLE, TABLE, ("invoice_no",), returned=("id",), receipts=receipts
    )
    async with engine.connect() as connection:
        return await reflect(connection, declaration)


async def _measure(methods: Mapping[str, Method], rounds: int) -> Times:
    numbers = count()

    async def prepare(name: str, size: int) -> Call:
        values = [_values(next(numbers)) for _ in range(size)]
        return partial(methods[name], values, _rows(values))

    return await timed(methods, SIZES, rounds, prepare)


def _values(number: int) -> tuple[Any, ...]:
    issued = datetime(2024, 1, 2, tzinfo=UTC) + timedelta(seconds=number)
    amount = Decimal(number % 100_000) / 100
    return f"INV-{number:010}", f"Customer {number % 1000}", amount, number % 10, issued, True


def _rows(values: Values) -> Rows:
    """Return rows with the values as a record has them: text, but for a number and a boolean."""
    rows = Rows()
    for number, (invoice, customer, amount, quantity, issued, paid) in enumerate(values):
        texts = (invoice, customer, str(amount), quantity, issued.isoformat(), paid)
        payload = json.dumps(dict(zip(COLUMNS, texts, strict=True)), separators=(",", ":"))
        header = SubmissionHeader(f"main-{invoice}/0", f"main-{invoice}", 1, 200, "invoices.csv")
        rows.append(header, RecordColumns([invoice], [number], [payload], [b""], [""]))
    return rows


def _table(times: Times, rounds: int) -> Table:
    compared = [
        [f"{name} / {BASE}", *(str(ratios(times[name, size], times[BASE, size])) for size in SIZES)]
        for name in (OWN, RECEIPTS)
    ]
    speeds = [
        [f"rows/s, {name}", *(short(size / Spread.of(times[name, size]).median) for size in SIZES)]
        for name in (BASE, OWN, RECEIPTS)
    ]
    return Table(
        f"An own table of {len(COLUMNS)} typed columns: medians of the rounds' ratios of time",
        ["", *(f"{size:,}" for size in SIZES)],
        [*compared, *speeds],
        f"{rounds} interleaved rounds; the generated ids come back from all",
    )
