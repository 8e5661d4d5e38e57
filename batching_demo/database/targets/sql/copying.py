"""Statements that are rolled back: whether Postgres takes other rows than the one that fails."""

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Numeric,
    Text,
    Uuid,
    cast,
    func,
    literal_column,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.dml import ReturningInsert, ReturningUpdate

from batching_demo.database.targets.sql_type import SqlType

if TYPE_CHECKING:
    from batching_demo.database.targets.own_target import OwnColumn, OwnTarget

TEXTS = {"text", "character varying", "character", "bpchar", "citext"}
LARGEST_NUMBERS = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1}
FRACTIONS = {"numeric", "real", "double precision"}
TIMES = {"date", "timestamp without time zone", "timestamp with time zone"}
ONE: ColumnElement[int] = literal_column("1")


def insert_copy(target: "OwnTarget") -> ReturningInsert[Any] | None:
    """Return the INSERT of a copy of any stored row under another key.

    It is None if no column of the key has a type of which a value can be made up.
    """
    made_up = {one.name: _made_up(one) for one in target.key}
    name = next((name for name in reversed(made_up) if made_up[name] is not None), None)
    if name is None:
        return None
    table = target.table
    copied: dict[str, Any] = {one.name: table.c[one.name] for one in target.filled}
    copied[name] = made_up[name]
    one_row = select(*copied.values()).select_from(table).limit(ONE)
    copy = insert(table).from_select([*copied], one_row, include_defaults=False)
    return copy.on_conflict_do_nothing().returning(ONE)


def change_row(target: "OwnTarget") -> ReturningUpdate[Any]:
    """Return the change of any stored row to what it is."""
    table = target.table
    key = [table.c[one.name] for one in target.key]
    columns = [table.c[one.name] for one in target.compared] or key[:1]
    any_row = tuple_(*key).in_(select(*key).limit(ONE))
    return update(table).values({one: one for one in columns}).where(any_row).returning(ONE)


def _made_up(one: "OwnColumn") -> ColumnElement[Any] | None:
    """Return a random value for a column of the key; None if there is none for its type."""
    declared = SqlType(one.type)
    random = func.random()
    if one.plain_type in TEXTS:
        return cast(func.md5(cast(random, Text)), declared)
    if largest := LARGEST_NUMBERS.get(one.plain_type):
        return cast(cast(random * literal_column(str(largest - 1)), BigInteger), declared)
    if one.plain_type in FRACTIONS:
        return cast(cast(random, Numeric), declared)
    if one.plain_type == "uuid":
        return cast(func.gen_random_uuid(), Uuid)
    if one.plain_type in TIMES:
        past: ColumnElement[Any] = literal_column("now() - random() * interval '36500 days'")
        return cast(past, declared)
    return None
