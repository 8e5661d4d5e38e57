"""Check declared targets, at a worker's start and whenever its table may have changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from batching_demo.contracts.errors import UserError
from batching_demo.contracts.targets import TargetDeclaration
from batching_demo.database.errors import DatabaseFailedError, Failure, FailureKind
from batching_demo.database.targets.changes import find_changes
from batching_demo.database.targets.own_target import OwnTarget
from batching_demo.database.targets.problems import find_problems, find_warnings
from batching_demo.database.targets.reflection import read_facts, target_of


class TargetError(UserError):
    """The database cannot do what targets say. The message is one line.

    Args:
        problems: By the name of a target, what does not fit, and what to do.
    """

    exit_code = 2

    def __init__(self, problems: Mapping[str, Sequence[str]]) -> None:
        words = (f"target {name} cannot work: {'; '.join(of)}" for name, of in problems.items())
        super().__init__("; ".join(words))


@dataclass(frozen=True)
class CheckedTarget:
    """A declared target, and what a look at its table has found."""

    declaration: TargetDeclaration
    problems: Sequence[str]
    """Why it cannot work."""
    warnings: Sequence[str]
    target: OwnTarget | None
    """None if there is a problem."""


async def check_targets(
    connection: AsyncConnection, declarations: Sequence[TargetDeclaration]
) -> list[CheckedTarget]:
    """Look at the tables of targets.

    Raises:
        SQLAlchemyError: Postgres does not answer.
    """
    return [await _check(connection, one) for one in declarations]


async def _check(connection: AsyncConnection, declaration: TargetDeclaration) -> CheckedTarget:
    facts = await read_facts(connection, declaration.table)
    problems = find_problems(declaration, facts)
    target = None if problems else target_of(declaration, facts)
    return CheckedTarget(declaration, problems, find_warnings(declaration, facts), target)


async def reflect(connection: AsyncConnection, declaration: TargetDeclaration) -> OwnTarget:
    """Return a target with what the catalogs say of its table.

    Raises:
        TargetError: It cannot work.
        SQLAlchemyError: Postgres does not answer.
    """
    checked = await _check(connection, declaration)
    if checked.target is None:
        raise TargetError({declaration.name: checked.problems})
    return checked.target


async def expect_unchanged(connection: AsyncConnection, target: OwnTarget) -> None:
    """Check that the table still is as it was when the target was reflected.

    Call it after a statement has failed that no record is to blame for, and before a record becomes
    a dead letter: what looks like a bad record may be a good one for the table as it was.

    Raises:
        DatabaseFailedError: It is not. This is an operator's failure, with what to do.
        SQLAlchemyError: Postgres does not answer.
    """
    declaration = target.declaration
    facts = await read_facts(connection, declaration.table)
    changes = find_problems(declaration, facts) or find_changes(
        target, target_of(declaration, facts)
    )
    if changes:
        raise DatabaseFailedError(table_changed(target, changes))


def table_changed(target: OwnTarget, changes: Sequence[str]) -> Failure:
    """Return the failure of a write whose table has changed since the worker has reflected it."""
    return Failure(
        FailureKind.OPERATOR,
        f"target {target.name}: table {target.declaration.table} has changed since this batcher"
        f" worker has started ({'; '.join(changes)}): undo that, or restart the batcher workers",
    )
