"""Find out what the table of a declared target is like, and whether the target can work."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from batching_demo.contracts.targets import TargetDeclaration
from batching_demo.database.targets.catalog import COLUMNS, INDEXES, INTERFERING, RELATION, SIMILAR
from batching_demo.database.targets.own_target import OwnColumn, OwnTarget
from batching_demo.database.targets.table_name import parse_table_name


@dataclass(frozen=True)
class Facts:
    """What the catalogs say of a table: rows of the queries of `catalog`."""

    relation: Row[Any] | None
    """None if there is no such table."""
    similar: Sequence[str] = ()
    """If there is none, tables whose name is nearly the same, as SQL writes them."""
    columns: Sequence[Row[Any]] = ()
    indexes: Sequence[Row[Any]] = ()
    interfering: Sequence[Row[Any]] = ()


async def read_facts(connection: AsyncConnection, table: str) -> Facts:
    """Read what the catalogs say of a table.

    Args:
        connection: Its search path finds a name without a schema.
        table: Its name, as of `TargetDeclaration`.

    Raises:
        SQLAlchemyError: Postgres does not answer.
    """
    named = parse_table_name(table)
    if named is None:
        return Facts(None)
    schema, name = named
    asked = {"schema": schema, "name": name}
    relation = (await connection.execute(RELATION, asked)).first()
    if relation is None:
        return Facts(None, [*(await connection.execute(SIMILAR, {"name": name})).scalars()])
    columns, indexes, interfering = [
        (await connection.execute(query, {"oid": relation.oid})).all()
        for query in (COLUMNS, INDEXES, INTERFERING)
    ]
    return Facts(relation, (), columns, indexes, interfering)


def target_of(declaration: TargetDeclaration, facts: Facts) -> OwnTarget:
    """Return a target with the facts of its table, which has to be there."""
    relation = facts.relation
    assert relation is not None
    return OwnTarget(
        declaration,
        relation.schema,
        relation.name,
        tuple(_column(declaration, one) for one in facts.columns),
        before_triggers=tuple(one.name for one in facts.interfering if one.what == "trigger"),
    )


def is_of_key(index: Row[Any], declaration: TargetDeclaration) -> bool:
    """Return whether a unique index is on exactly the columns of the key, and finds conflicts."""
    is_plain = not (index.is_partial or index.is_deferrable or index.has_expressions)
    # A conflict by another collation is none for those who look the row up by the column.
    is_plain &= not index.is_of_other_collation
    return is_plain and index.is_valid and {*index.columns} == {*declaration.key}


def _column(declaration: TargetDeclaration, found: Row[Any]) -> OwnColumn:
    """Return a column from a row of `COLUMNS`."""
    fills_itself = found.is_generated or found.identity == "always"
    return OwnColumn(
        name=found.name,
        type=found.type,
        base_type=found.base_type,
        plain_type=found.plain_type,
        category=found.category,
        collation=found.collation,
        has_equality=found.has_equality,
        field=None if fills_itself else declaration.field_of(found.name),
        default=found.next_value or found.default or found.default_of_domain,
        not_null=found.not_null,
        is_generated=found.is_generated,
        identity=found.identity,
    )
