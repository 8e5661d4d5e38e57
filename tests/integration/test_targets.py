"""Tables of all kinds that records are written to, on every path, and those that cannot be."""

from collections.abc import Callable, Mapping
from uuid import uuid4

import pytest
from sqlalchemy import (
    Column,
    Computed,
    DateTime,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.schema import CreateTable, SchemaItem
from sqlalchemy.types import NullType

from batching_demo.batcher_service.verdicts import gather
from batching_demo.database.errors import DatabaseFailedError
from batching_demo.database.writing.rows import Rows
from batching_demo.database.writing.target import Expression, Target
from batching_demo.database.writing.writes import write_batch, write_unbatched
from tests.support.database import execute, fetch
from tests.support.records import batch_info, record, submission

ITEM = {"item": lambda payload: payload["item"].astext}


def table(*columns: SchemaItem) -> Table:
    deciding = (
        Column("content_hash", LargeBinary),
        Column("submission_id", Text),
        Column("position", Integer),
    )
    return Table(f"target_{uuid4().hex[:8]}", MetaData(), *columns, *deciding)


async def create(
    engine: AsyncEngine,
    made: Table,
    key: str = "idempotency_key",
    columns: Mapping[str, Expression] | None = None,
) -> Target:
    await execute(engine, str(CreateTable(made).compile(dialect=engine.dialect)))
    return Target(made, columns or {}, key)


def rows(name: str, *keys: str) -> Rows:
    return gather([submission(name, [record(key, {"item": "apple"}) for key in keys])]).rows


async def stored(engine: AsyncEngine, target: Target, columns: str) -> list[tuple[object, ...]]:
    return await fetch(engine, f"SELECT {columns} FROM {target.table.name} ORDER BY 1")


async def expect_verdicts(engine: AsyncEngine, target: Target) -> None:
    """Expect the same verdicts as of the built-in table, whatever writes."""
    first = await write_batch(engine, rows("s", "a", "b", "a"), batch_info(), target)
    assert first.codes == ["w", "w", "d"]
    again = await write_batch(engine, rows("s", "a", "b", "a"), batch_info(), target, attempt=2)
    assert again.codes == ["w", "w", "d"]
    single = await write_unbatched(engine, rows("t", "c", "a"), target)
    assert single.codes == ["w", "d"]


async def test_the_key_may_have_any_name(engine: AsyncEngine) -> None:
    made = table(Column("order_id", Text, primary_key=True), Column("payload", JSONB))
    target = await create(engine, made, "order_id")
    await expect_verdicts(engine, target)
    apple = {"item": "apple"}
    assert await stored(engine, target, "order_id, payload") == [
        (key, apple) for key in ("a", "b", "c")
    ]


async def test_a_column_named_as_a_value_gets_it_beside_a_key_of_another_name(
    engine: AsyncEngine,
) -> None:
    made = table(Column("order_id", Text, primary_key=True), Column("idempotency_key", Text))
    target = await create(engine, made, "order_id")
    await expect_verdicts(engine, target)
    found = await stored(engine, target, "order_id, idempotency_key")
    assert found == [(key, key) for key in ("a", "b", "c")]


async def test_other_columns_take_their_defaults(engine: AsyncEngine) -> None:
    made = table(
        Column("idempotency_key", Text, primary_key=True),
        Column("number", Integer, Identity(always=True)),
        Column("twice", Integer, Computed("2 * position", persisted=True)),
        Column("made_at", DateTime(timezone=True), server_default=func.now(), nullable=False),
        Column("state", Text, server_default="new", nullable=False),
    )
    target = await create(engine, made)
    await expect_verdicts(engine, target)
    found = await stored(engine, target, "idempotency_key, twice, state, made_at <= now()")
    assert found == [("a", 0, "new", True), ("b", 2, "new", True), ("c", 0, "new", True)]


async def test_an_expression_is_found_by_the_key_of_its_column(engine: AsyncEngine) -> None:
    made = table(
        Column("idempotency_key", Text, primary_key=True),
        Column("Name of the item", Text, key="item", nullable=False),
    )
    target = await create(engine, made, columns=ITEM)
    await expect_verdicts(engine, target)
    assert await stored(engine, target, '"Name of the item"') == [("apple",)] * 3


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Target(Table("t", MetaData(), Column("id", Text))), "idempotency_key, content"),
        (lambda: Target(table(Column("id", Text)), key="order_id"), "no column order_id"),
        (lambda: Target(table(Column("id", Text)), ITEM, "id"), "no column item"),
        (lambda: Target(table(Column("item", Text)), ITEM, "item"), "gets the idempotency key"),
        (lambda: Target(table(Column("id", Integer)), key="id"), "has to be text"),
    ],
)
def test_a_table_that_cannot_be_written_is_refused_when_it_is_named(
    make: Callable[[], Target], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ([Column("idempotency_key", Text)], "unique constraint"),
        (
            [Column("idempotency_key", Text, primary_key=True), Column("item", Integer)],
            "type of a column",
        ),
    ],
    ids=["without a unique constraint", "of another type"],
)
async def test_what_does_not_fit_the_database_is_the_operators_to_mend(
    engine: AsyncEngine, columns: list[Column[object]], words: str
) -> None:
    has_item = len(columns) > 1
    target = await create(engine, table(*columns), columns=ITEM if has_item else None)
    with pytest.raises(DatabaseFailedError, match=words):
        await write_batch(engine, rows("s", "a"), batch_info(), target)


def test_an_expression_that_makes_no_sql_is_refused_when_it_is_named() -> None:
    made = table(Column("id", Text, primary_key=True), Column("item", Text))
    expressions: list[Expression] = [
        lambda payload: payload["item"].nosuch,
        lambda payload: payload["item"].cast(NullType()),
    ]
    for expression in expressions:
        with pytest.raises(ValueError, match=f"expression for column item of table {made.name}"):
            Target(made, {"item": expression}, "id")
