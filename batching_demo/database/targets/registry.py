"""All targets of a batcher worker, by name."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.contracts.targets import RECORDS_TARGET, TargetDeclaration
from batching_demo.database.errors import (
    DatabaseFailedError,
    Failure,
    FailureKind,
    database_errors,
)
from batching_demo.database.targets.check import TargetError, reflect
from batching_demo.database.targets.own_target import OwnTarget
from batching_demo.database.writing.target import RECORDS, Target


class Targets:
    """The built-in target `records`, and those that are declared.

    The table of each is looked at once, before its first write or at the start of the worker.

    Args:
        declarations: Of the user's own targets.

    Raises:
        TargetError: Two have the same name, or one is called `records`.
    """

    def __init__(self, declarations: Sequence[TargetDeclaration] = ()) -> None:
        self.declarations = {one.name: one for one in declarations}
        self._reflected: dict[str, OwnTarget] = {}
        for one in declarations:
            if one.name == RECORDS_TARGET:
                raise TargetError(one.name, ["it is the built-in table: choose another name"])
            if self.declarations[one.name] is not one:
                raise TargetError(one.name, ["it is declared twice: choose another name"])

    def __contains__(self, name: str) -> bool:
        return name == RECORDS_TARGET or name in self.declarations

    @property
    def names(self) -> list[str]:
        """The names of all targets, the built-in one first."""
        return [RECORDS_TARGET, *self.declarations]

    async def find(self, engine: AsyncEngine, name: str) -> Target | OwnTarget:
        """Return the target of a name.

        Raises:
            KeyError: There is none of that name.
            DatabaseFailedError: Postgres does not answer, or the target cannot work.
        """
        if name == RECORDS_TARGET:
            return RECORDS
        found = self._reflected.get(name)
        if found is None:
            try:
                found = await self.reflect(engine, self.declarations[name])
            except TargetError as error:
                raise DatabaseFailedError(Failure(FailureKind.OPERATOR, str(error))) from None
        return found

    async def reflect(self, engine: AsyncEngine, declaration: TargetDeclaration) -> OwnTarget:
        """Look at the table of a target, and keep what is found for all writes.

        Raises:
            TargetError: It cannot work.
            DatabaseFailedError: Postgres does not answer.
        """
        with database_errors():
            async with engine.connect() as connection:
                found = await reflect(connection, declaration)
        return self._reflected.setdefault(declaration.name, found)
