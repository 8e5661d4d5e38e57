"""Find out what the table of a declared target is like."""

from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from batching_demo.contracts.errors import UserError
from batching_demo.contracts.targets import TargetDeclaration
from batching_demo.database.targets.catalog import COLUMNS, INDEXES, INTERFERING, RELATION
from batching_demo.database.targets.own_target import OwnColumn, OwnTarget
from batching_demo.database.targets.table_name import parse_table_name


class TargetError(UserError):
    """The database cannot do what a target says. The message is one line.

    Args:
        name: The name of the target.
        problems: What does not fit, and what to do.
    """

    exit_code = 2

    def __init__(self, name: str, problems: list[str]) -> None:
        super().__init__(f"target {name} cannot work: {'; '.join(problems)}")
        self.problems = problems


async def reflect(connection: AsyncConnection, declaration: TargetDeclaration) -> OwnTarget:
    """Return a target with what the catalogs say of its table.

    Raises:
        TargetError: It cannot work.
        SQLAlchemyError: Postgres does not answer.
    """
    schema, name = parse_table_name(declaration.table) or ("", declaration.table)
    found = (await connection.execute(RELATION, {"schema": schema, "name": name})).first()
    if found is None:
        raise TargetError(declaration.name, [f"there is no table {declaration.table}"])
    of_relation = {"oid": found.oid}
    columns = (await connection.execute(COLUMNS, of_relation)).all()
    indexes = (await connection.execute(INDEXES, of_relation)).all()
    interfering = (await connection.execute(INTERFERING, of_relation)).all()
    fitting = [one for one in indexes if {*one.columns} == {*declaration.key}]
    return OwnTarget(
        declaration,
        found.schema,
        found.name,
        tuple(_column(declaration, one) for one in columns),
        is_partitioned=found.kind == "p",
        nulls_are_equal=any(one.nulls_are_equal for one in fitting),
        before_triggers=tuple(one.name for one in interfering if one.what == "trigger"),
    )


def _column(declaration: TargetDeclaration, found: Row[Any]) -> OwnColumn:
    """Return a column from a row of `COLUMNS`."""
    fills_itself = found.is_generated or found.identity == "always"
    return OwnColumn(
        name=found.name,
        type=found.type,
        cast_type=found.cast_type,
        category=found.category,
        has_equality=found.has_equality,
        field=None if fills_itself else declaration.field_of(found.name),
        default=found.next_value or found.default or found.default_of_domain,
        not_null=found.not_null,
        is_generated=found.is_generated,
        identity=found.identity,
    )
