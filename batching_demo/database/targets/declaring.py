"""Declare a target in Python, for those who have a model of their table."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Table, inspect
from sqlalchemy.orm import InstrumentedAttribute

from batching_demo.contracts.targets import OnConflict, TargetDeclaration, problem_of_name
from batching_demo.database.targets.table_name import quote_table_name

ColumnLike = str | ColumnElement[Any] | InstrumentedAttribute[Any]
"""The name of a column, or the column itself, such as `Invoice.invoice_no`."""


def declare_target(
    table: Table | type[Any],
    *,
    key: Sequence[ColumnLike],
    name: str | None = None,
    columns: Mapping[ColumnLike, str | None] | None = None,
    on_conflict: OnConflict = OnConflict.IGNORE,
    newest_by: ColumnLike | None = None,
    returned: Sequence[ColumnLike] = (),
    receipts: bool = False,
) -> TargetDeclaration:
    """Return the declaration of a table as a target.

    Only names are taken from the model. Types, defaults and constraints are those that the database
    has when the worker starts.

    Args:
        table: A `Table`, or a class that is mapped to one.
        key: The columns of a unique constraint or a plain unique index.
        name: By which submissions name the target; by default the name of the table.
        columns: By column, the field of the record that fills it, or None for a column that keeps
            its default. Any other column is filled by the field of its own name.
        on_conflict: What becomes of a record whose key is stored already.
        newest_by: The column that says which is newer, with `OnConflict.NEWEST` only.
        returned: Columns that the requester gets back.
        receipts: Whether each record that changes a row leaves a receipt.

    Raises:
        ValueError: The class is mapped to no table, the name cannot be that of a target, there is
            no such rule, or a column stands where a list of columns has to.
    """
    mapper = None if isinstance(table, Table) else inspect(table, raiseerr=False)
    found = getattr(mapper, "local_table", table)
    if not isinstance(found, Table):
        raise ValueError(f"{table!r} is not mapped to a table: give the Table itself")
    name = name or found.name
    if problem := problem_of_name(name):
        raise ValueError(f"target {name} {problem}")
    return TargetDeclaration(
        name=name,
        table=quote_table_name(found.schema or "", found.name),
        key=_names("key", key),
        columns={_name(column): filled for column, filled in (columns or {}).items()},
        on_conflict=on_conflict,
        newest_by=None if newest_by is None else _name(newest_by),
        returned=_names("returned", returned),
        receipts=receipts,
    )


def _names(argument: str, columns: Sequence[ColumnLike]) -> tuple[str, ...]:
    """Return the names of columns. One text would be taken for a list of its letters."""
    if isinstance(columns, str | ColumnElement | InstrumentedAttribute):
        raise ValueError(f"{argument} is no list of columns: write {argument}=[...]")
    return tuple(map(_name, columns))


def _name(column: ColumnLike) -> str:
    """Return the name that a column has in the database."""
    return column if isinstance(column, str) else str(column.name)
