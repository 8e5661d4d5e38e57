"""An entry of the log of batches, written by the statement that inserts the rows of a batch.

So an INSERT that commits has its entry, and one that does not has none, whatever dies.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import (
    CTE,
    Integer,
    Select,
    SmallInteger,
    Text,
    Uuid,
    bindparam,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.dml import ReturningInsert
from sqlalchemy.types import TypeEngine

from batching_demo.database.models import batches

PREFIX = "log_"
"""Begins the parameters of an entry, so that the INSERT may have some of the same names."""
VALUES: Mapping[str, type[TypeEngine[Any]]] = {
    "batch_id": Uuid,
    "part": SmallInteger,
    "shard": SmallInteger,
    "target": Text,
    "write_path": Text,
    "reason": Text,
    "attempt": Integer,
    "records": Integer,
    "worker": Text,
}
"""The columns of an entry that are parameters, with the types that they are sent as."""


@cache
def with_entry(statement: ReturningInsert[Any]) -> Select[Any]:
    """Return a statement that does and returns the same, and writes its entry too."""
    inserted = statement.cte("inserted")
    return select(inserted).add_cte(entry_of(inserted))


def entry_of(inserted: CTE) -> CTE:
    """Return the INSERT of an entry, for a statement that stores rows in a CTE.

    Add it to the statement with `add_cte`. Its parameters are those of `LoggedWrite.parameters`. A
    statement for no records at all gets no entry.

    Args:
        inserted: Returns a row for each row that it stores.
    """
    values = {name: bindparam(PREFIX + name, type_=type_) for name, type_ in VALUES.items()}
    written = select(func.count()).select_from(inserted).scalar_subquery()
    entry = select(*values.values(), written).where(values["records"] > literal_column("0"))
    return insert(batches).from_select([*values, "written"], entry).cte("entry")
