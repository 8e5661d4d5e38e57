"""The own tables of a run, and the targets that are declared for them."""

from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tools.chaos.records import KEY
from tools.chaos.trigger import CHOSEN

OWN_KEY = "invoice_no"
IS_CHOSEN = f"NEW.{CHOSEN}"
PLAIN, RECEIPTS = "invoices", "invoices_with_receipts"
OWN_TARGETS = (PLAIN, RECEIPTS)
COLUMNS = (
    f"id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, {OWN_KEY} text NOT NULL UNIQUE,"
    " text varchar(400), number numeric, repeated boolean, other int, line int,"
    f" {CHOSEN} boolean, created_at timestamptz NOT NULL DEFAULT now()"
)


def own_table(target: str) -> str:
    """Return the table of a target."""
    return f"shop.{target}"


def write_targets(path: Path) -> None:
    """Write the file that declares the targets: without receipts, and with them."""
    entries = (
        f'[{name}]\ntable = "{own_table(name)}"\nkey = ["{OWN_KEY}"]\n'
        f'columns = {{ {OWN_KEY} = "{KEY}" }}\nreturn = ["id"]\n'
        f"receipts = {str(name == RECEIPTS).lower()}\n"
        for name in OWN_TARGETS
    )
    path.write_text("\n".join(entries))


async def create_own_tables(engine: AsyncEngine) -> None:
    """Create the tables of all these targets."""
    async with engine.begin() as connection:
        await connection.execute(text("CREATE SCHEMA shop"))
        for name in OWN_TARGETS:
            await connection.execute(text(f"CREATE TABLE {own_table(name)} ({COLUMNS})"))


async def read_ids(engine: AsyncEngine, target: str) -> dict[str, object]:
    """Return the id of each row, by key."""
    query = text(f"SELECT {OWN_KEY}, id FROM {own_table(target)}")
    async with engine.connect() as connection:
        found = await connection.execute(query)
        return {key: id_ for key, id_ in found}  # noqa: C416  # typed, which dict() is not
