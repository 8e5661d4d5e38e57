"""The own table of a run, and the targets that are declared for it."""

from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.database.engine import create_transactional_engine
from tools.chaos.records import KEY
from tools.chaos.trigger import CHOSEN

OWN_TABLE, OWN_KEY = "shop.invoices", "invoice_no"
IS_CHOSEN = f"NEW.{CHOSEN}"
PLAIN, RECEIPTS = "invoices", "invoices-with-receipts"
OWN_TARGETS = (PLAIN, RECEIPTS)
CREATE = (
    "CREATE SCHEMA shop",
    f"""
    CREATE TABLE {OWN_TABLE} (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, {OWN_KEY} text NOT NULL UNIQUE,
        text varchar(400), number numeric, repeated boolean, other int, line int,
        {CHOSEN} boolean, created_at timestamptz NOT NULL DEFAULT now()
    )
    """,
)


def write_targets(path: Path) -> None:
    """Write the file that declares the targets: without receipts, and with them."""
    entry = (
        f'[{{name}}]\ntable = "{OWN_TABLE}"\nkey = ["{OWN_KEY}"]\n'
        f'columns = {{{{ {OWN_KEY} = "{KEY}" }}}}\nreturn = ["id"]\nreceipts = {{receipts}}\n'
    )
    entries = (
        entry.format(name=name, receipts=str(name == RECEIPTS).lower()) for name in OWN_TARGETS
    )
    path.write_text("\n".join(entries))


async def create_own_table(url: str) -> None:
    """Create the table in a database."""
    engine = create_transactional_engine(url, application_name="batching-demo chaos")
    async with engine.begin() as connection:
        for statement in CREATE:
            await connection.execute(text(statement))
    await engine.dispose()


async def read_ids(engine: AsyncEngine) -> dict[str, object]:
    """Return the id of each row, by key."""
    async with engine.connect() as connection:
        found = await connection.execute(text(f"SELECT {OWN_KEY}, id FROM {OWN_TABLE}"))
        return {key: id_ for key, id_ in found}  # noqa: C416  # typed, which dict() is not
