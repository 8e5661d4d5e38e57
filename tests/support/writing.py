"""Write records without Temporal, on every path, and count the statements."""

from collections import Counter
from collections.abc import Sequence
from math import ceil, log2

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.batcher_service.verdicts import gather
from batching_demo.contracts.encoding import PreparedRecord
from batching_demo.contracts.names import WritePath
from batching_demo.database.targets.records import RECORDS
from batching_demo.database.writing.row_writer import WriteResult
from batching_demo.database.writing.rows import Rows
from batching_demo.database.writing.target import Target
from batching_demo.database.writing.writes import write_batch, write_unbatched
from tests.support.database import execute
from tests.support.records import batch_info, submission

PATHS = (WritePath.BATCHED, WritePath.UNBATCHED)
"""The coalesced path has the same write as the batched one."""


class Statements:
    """Counts the statements that an engine sends."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.sent: list[str] = []
        """The first three words of each."""
        event.listen(engine.sync_engine, "before_cursor_execute", self._count)

    def _count(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        self.sent.append(" ".join(statement.split(maxsplit=3)[:3]))

    @property
    def inserts(self) -> int:
        """Of records; the INSERT of dead letters is one more."""
        return self.sent.count("INSERT INTO records")


def rows_of(*submissions: tuple[str, Sequence[PreparedRecord]]) -> Rows:
    return gather(submission(name, records) for name, records in submissions).rows


async def write_by(
    path: WritePath,
    engine: AsyncEngine,
    rows: Rows,
    *,
    target: Target = RECORDS,
    attempt: int = 1,
) -> WriteResult:
    """Write rows as a write path does."""
    if path is WritePath.UNBATCHED:
        return await write_unbatched(engine, rows, target, attempt=attempt)
    return await write_batch(engine, rows, batch_info(), target, attempt=attempt)


async def create_trigger(engine: AsyncEngine, body: str, when: str = "BEFORE INSERT") -> None:
    """Have every new row of `records` run some PL/pgSQL, which begins at BEGIN or DECLARE."""
    await execute(
        engine,
        f"CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$",
        f"CREATE TRIGGER meddle {when} ON records FOR EACH ROW EXECUTE FUNCTION meddle()",
    )


async def obey_policy(engine: AsyncEngine, policy: str, *statements: str) -> None:
    """Have all but the owner of `records` obey a policy.

    Args:
        engine: The writer's.
        policy: What follows the name of the table.
        statements: Further ones.
    """
    await execute(
        engine,
        "ALTER TABLE records ENABLE ROW LEVEL SECURITY",
        f"CREATE POLICY app ON records {policy}",
        *statements,
    )


def most_statements(rows: Rows, refused: int, rows_per_statement: int | None = None) -> int:
    """Return how many statements a write sends at most: the formula of docs/design.md."""
    of_one_key = max(Counter(rows.keys).values())
    size = rows_per_statement or len(rows)
    parts = ceil(len(set(rows.keys)) / size)
    rounds = of_one_key + 1
    return rounds * (parts + 4) + refused * (2 * ceil(log2(size)) + 1) + 6
