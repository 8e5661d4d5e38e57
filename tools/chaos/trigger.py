"""A trigger that refuses chosen records, each time in another way."""

from collections.abc import Iterator
from itertools import cycle

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

CHOSEN = "refuse"
"""The name in the payload of the records that the trigger refuses."""

WAYS = (
    "RAISE EXCEPTION 'refused' USING ERRCODE = 'P0001'",
    "RETURN NULL",
    "RAISE EXCEPTION 'refused' USING ERRCODE = '45035'",
    "RAISE EXCEPTION 'refused' USING ERRCODE = '23514'",
    "SELECT INTO STRICT NEW.source source FROM records WHERE false",
    "NEW.no_such_column := 1",
    "RAISE EXCEPTION 'refused' USING ERRCODE = '42501'",
    "ASSERT false",
)
"""Statements of PL/pgSQL: house codes, a row that is dropped, mistakes in the trigger itself."""

FUNCTION = """
CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF {is_chosen} THEN {way}; END IF;
    RETURN NEW;
END $$
"""
TRIGGER = """
CREATE TRIGGER chaos_refuse BEFORE INSERT ON {table}
FOR EACH ROW EXECUTE FUNCTION {function}()
"""


class Trigger:
    """The trigger of a run.

    Args:
        engine: Makes a new connection each time, since faults break those that are open.
        table: The table.
        is_chosen: SQL that is true for a row of a chosen record.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        table: str = "records",
        is_chosen: str = f"NEW.payload ? '{CHOSEN}'",
    ) -> None:
        self._engine = engine
        self._table = table
        # Of its own: rows of another table have other columns.
        self._function = f"{table}_refuse"
        self._is_chosen = is_chosen
        self._ways: Iterator[str] = cycle(WAYS)

    async def create(self) -> None:
        """Create the trigger. It raises P0001 until it is changed."""
        await self.change()
        await self._execute(TRIGGER.format(table=self._table, function=self._function))

    async def change(self) -> None:
        """Refuse in the next way."""
        way = next(self._ways)
        await self._execute(
            FUNCTION.format(function=self._function, is_chosen=self._is_chosen, way=way)
        )

    async def _execute(self, statement: str) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(text(statement))
