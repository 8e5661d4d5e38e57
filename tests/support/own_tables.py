"""Tables of a user's own, declared as targets."""

from collections.abc import Mapping, Sequence
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.contracts.targets import OnConflict, TargetDeclaration
from batching_demo.database.roles.installation import read_own_table
from batching_demo.database.roles.statements import on_own_table
from batching_demo.database.targets.check import CheckedTarget, check_targets, reflect
from batching_demo.database.targets.own_target import OwnTarget
from tests.support.database import direct, execute
from tests.support.roles import ROLES


def new_name() -> str:
    """Return a name for a table that no other test has."""
    return f"own_{uuid4().hex[:8]}"


def declared(
    table: str,
    *key: str,
    columns: Mapping[str, str | None] | None = None,
    on_conflict: OnConflict = OnConflict.IGNORE,
    newest_by: str | None = None,
    returned: Sequence[str] = (),
    receipts: bool = False,
) -> TargetDeclaration:
    """Return a declaration whose name is `own`."""
    return TargetDeclaration(
        "own",
        table,
        key or ("k",),
        columns or {},
        on_conflict,
        newest_by,
        tuple(returned),
        receipts,
    )


async def check(engine: AsyncEngine, declaration: TargetDeclaration) -> CheckedTarget:
    """Check one target."""
    async with engine.connect() as connection:
        [checked] = await check_targets(connection, [declaration])
    return checked


async def let_write(engine: AsyncEngine, *declarations: TargetDeclaration) -> None:
    """Give the writer what it needs on the tables of targets."""
    async with direct(engine).connect() as connection:
        for declaration in declarations:
            for statement in on_own_table(ROLES, await read_own_table(connection, declaration)):
                await connection.exec_driver_sql(statement)


async def own_target(
    engine: AsyncEngine, declaration: TargetDeclaration, *statements: str
) -> OwnTarget:
    """Return the target of a table, after statements such as those that create it."""
    await execute(engine, *statements)
    await let_write(engine, declaration)
    async with engine.connect() as connection:
        return await reflect(connection, declaration)
