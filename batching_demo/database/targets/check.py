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
from batching_demo.database.targets.trying import plan_statements
from batching_demo.database.writing.target import Target


class TargetError(UserError):
    """The database cannot do what targets say. The message is one line.

    Args:
        problems: By the name of a target, what does not fit, and what to do.
    """

    exit_code = 2

    def __init__(self, problems: Mapping[str, Sequence[str]]) -> None:
        words = (f"target {name} cannot work: {'; '.join(of)}" for name, of in problems.items())
        super().__init__("; ".join(words))
        self.problems = problems


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
    """Look at the tables of targets, and have Postgres plan their statements.

    Args:
        connection: Commits every statement by itself.
        declarations: Of the targets.

    Raises:
        SQLAlchemyError: Postgres does not answer.
    """
    return [await _check(connection, one) for one in declarations]


async def _check(connection: AsyncConnection, declaration: TargetDeclaration) -> CheckedTarget:
    facts = await read_facts(connection, declaration.table)
    warnings = find_warnings(declaration, facts)
    if problems := find_problems(declaration, facts):
        return CheckedTarget(declaration, problems, warnings, None)
    target = target_of(declaration, facts)
    problems = await plan_statements(connection, target)
    return CheckedTarget(declaration, problems, warnings, None if problems else target)


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


async def expect_unchanged(connection: AsyncConnection, target: Target) -> None:
    """Check that the table still is as it was when the target was reflected.

    Call it after a statement has failed that no record is to blame for, and before a record becomes
    a dead letter: what looks like a bad record may be a good one for the table as it was.

    Args:
        connection: Commits every statement by itself.
        target: Of the built-in one, nothing is checked.

    Raises:
        DatabaseFailedError: It is not. This is an operator's failure, with what to do.
        SQLAlchemyError: Postgres does not answer.
    """
    if not isinstance(target, OwnTarget):
        return
    declaration = target.declaration
    facts = await read_facts(connection, declaration.table)
    if problems := find_problems(declaration, facts):
        words = f"target {target.name} cannot work any more: {'; '.join(problems)}"
        raise DatabaseFailedError(Failure(FailureKind.OPERATOR, words))
    if changes := find_changes(target, target_of(declaration, facts)):
        words = (
            f"target {target.name}: table {declaration.table} has changed since this batcher worker"
            f" started ({'; '.join(changes)}): undo that, or restart the batcher workers"
        )
        raise DatabaseFailedError(Failure(FailureKind.OPERATOR, words))
