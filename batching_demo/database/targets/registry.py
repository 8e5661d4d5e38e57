"""All targets of a batcher worker, by name."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncEngine

from batching_demo.contracts.targets import RECORDS_TARGET, TargetDeclaration, problem_of_name
from batching_demo.database.errors import (
    DatabaseFailedError,
    Failure,
    FailureKind,
    database_errors,
)
from batching_demo.database.targets.check import CheckedTarget, TargetError, check_targets
from batching_demo.database.targets.own_target import OwnTarget
from batching_demo.database.targets.records import RECORDS
from batching_demo.database.writing.target import Target


class Targets:
    """The built-in target `records`, and those that are declared.

    The table of each is looked at once, at the start of the worker or before the first write. Such
    a target stays as it is until the worker ends.

    Args:
        declarations: Of the user's own targets.

    Raises:
        TargetError: Two have the same name, or one is called `records`.
    """

    def __init__(self, declarations: Sequence[TargetDeclaration] = ()) -> None:
        self._declarations = {one.name: one for one in declarations}
        self._reflected: dict[str, OwnTarget] = {}
        for one in declarations:
            if problem := problem_of_name(one.name):
                raise TargetError({one.name: [f"it {problem}"]})
            if self._declarations[one.name] is not one:
                raise TargetError({one.name: ["it is declared twice: choose another name"]})

    def __contains__(self, name: str) -> bool:
        return name == RECORDS_TARGET or name in self._declarations

    @property
    def names(self) -> list[str]:
        """The names of all targets, the built-in one first."""
        return [RECORDS_TARGET, *self._declarations]

    async def find(self, engine: AsyncEngine, name: str) -> Target:
        """Return the target of a name.

        Raises:
            KeyError: There is none of that name.
            DatabaseFailedError: Postgres does not answer, or the target cannot work.
        """
        if name == RECORDS_TARGET:
            return RECORDS
        if name not in self._reflected:
            try:
                await self._reflect(engine, [self._declarations[name]])
            except TargetError as error:
                raise DatabaseFailedError(Failure(FailureKind.OPERATOR, str(error))) from None
        return self._reflected[name]

    async def reflect_all(self, engine: AsyncEngine) -> Sequence[CheckedTarget]:
        """Look at the tables of all targets, and return what was found.

        Raises:
            TargetError: Some cannot work. The message names all problems of all of them.
            DatabaseFailedError: Postgres does not answer.
        """
        return await self._reflect(engine, [*self._declarations.values()])

    async def _reflect(
        self, engine: AsyncEngine, declarations: Sequence[TargetDeclaration]
    ) -> Sequence[CheckedTarget]:
        if not declarations:
            return []
        with database_errors():
            async with engine.connect() as connection:
                checked = await check_targets(connection, declarations)
        if failing := {one.declaration.name: one.problems for one in checked if one.problems}:
            raise TargetError(failing)
        for one in checked:
            if one.target:
                self._reflected.setdefault(one.declaration.name, one.target)
        return checked
