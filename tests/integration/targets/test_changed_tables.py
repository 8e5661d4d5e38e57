"""A user's own table that changes while workers run: no record becomes a dead letter for that."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.contracts.names import WritePath
from batching_demo.database.errors import DatabaseFailedError, FailureKind
from batching_demo.database.writing.writes import try_target
from tests.support.database import execute, fetch, scalar
from tests.support.own_tables import declared, let_write, new_name, own_target
from tests.support.postgres import ChosenPostgres, create_database, open_engine
from tests.support.records import record
from tests.support.writing import PATHS, rows_of, write_by

TABLE = "CREATE TABLE {t} (k text PRIMARY KEY, n int, v varchar(9), m int NOT NULL DEFAULT 1)"
CHANGES = {
    "renamed": ("ALTER TABLE {t} RENAME TO {t}_old", "there is no table {t}"),
    "gone": ("DROP TABLE {t}", "there is no table {t}"),
    "a view in its place": (
        "DROP TABLE {t}; CREATE VIEW {t} AS SELECT '' AS k, 1 AS n, '' AS v, 1 AS m",
        "{t} is a view: name the table behind it",
    ),
    "a column is gone": ("ALTER TABLE {t} DROP COLUMN n", "column n is gone"),
    "a type that takes none of it": (
        "ALTER TABLE {t} ALTER n TYPE date USING NULL",
        "column n was integer and is date",
    ),
    "a type that refuses some": (
        "ALTER TABLE {t} ALTER v TYPE varchar(2)",
        "column v was character varying(9) and is character varying(2)",
    ),
    "a new column that nothing fills": (
        "ALTER TABLE {t} ADD z int NOT NULL",
        "column z is new, NOT NULL and without a default",
    ),
    "no key any more": (
        "ALTER TABLE {t} DROP CONSTRAINT {t}_pkey",
        "nothing makes the key (k) unique",
    ),
}
"""A statement, and what the failure says of it."""


@pytest.fixture(scope="module")
async def shop(postgres: ChosenPostgres) -> AsyncIterator[AsyncEngine]:
    """A database for all tests of this module, each with a table of its own."""
    url = await create_database(postgres)
    async with open_engine(postgres, url, pool_size=2) as engine:
        yield engine


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("statement", "words"), CHANGES.values(), ids=list(CHANGES))
async def test_no_record_is_to_blame(
    shop: AsyncEngine, statement: str, words: str, path: WritePath
) -> None:
    name = new_name()
    target = await own_target(shop, declared(name), TABLE.format(t=name))
    before = await scalar(shop, "SELECT count(*) FROM dead_letters")
    await execute(shop, *statement.format(t=name).split(";"))
    rows = rows_of(("s", [record("", {"k": "a", "n": 1, "v": "long"})]))
    with pytest.raises(DatabaseFailedError) as caught:
        await write_by(path, shop, rows, target=target)
    assert caught.value.failure.kind is FailureKind.OPERATOR
    assert words.format(t=name) in str(caught.value)
    assert await scalar(shop, "SELECT count(*) FROM dead_letters") == before


@pytest.mark.parametrize("change", ["renamed", "gone", "a column is gone"])
async def test_a_try_without_rows_says_the_same(shop: AsyncEngine, change: str) -> None:
    name, (statement, words) = new_name(), CHANGES[change]
    target = await own_target(shop, declared(name), TABLE.format(t=name))
    await try_target(shop, target)
    await execute(shop, statement.format(t=name))
    with pytest.raises(DatabaseFailedError, match=words.format(t=name)):
        await try_target(shop, target)
    await execute(shop, f"DROP TABLE IF EXISTS {name}", TABLE.format(t=name))
    await let_write(shop, declared(name))
    await try_target(shop, target)


async def test_an_unchanged_table_and_one_with_new_columns_keep_on(shop: AsyncEngine) -> None:
    name = new_name()
    target = await own_target(shop, declared(name), TABLE.format(t=name))
    await execute(shop, f"ALTER TABLE {name} ADD more text, ADD at timestamptz DEFAULT now()")
    bad, good = record("", {"k": "a", "n": "x"}), record("", {"k": "b", "n": 1, "more": "x"})
    result = await write_by(WritePath.BATCHED, shop, rows_of(("s", [bad, good])), target=target)
    assert result.codes == ["r", "w"]
    assert await fetch(shop, f"SELECT k, n, more FROM {name}") == [("b", 1, None)]
