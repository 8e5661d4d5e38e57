"""A table of its own for orders, and the statements that write it.

The names of the bound parameters are those of `batching_demo.database.rows.Rows`.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    any_,
    bindparam,
    cast,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, Insert, insert
from sqlalchemy.sql.dml import ReturningInsert

orders = Table(
    "orders",
    MetaData(),
    # "C" is the order that batches are sorted in.
    Column("idempotency_key", Text(collation="C"), primary_key=True),
    Column("item", Text, nullable=False),
    Column("quantity", Integer, nullable=False),
    # These decide a verdict, and have to stay.
    Column("content_hash", LargeBinary, nullable=False),
    Column("submission_id", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("batch_id", Uuid, nullable=False),
)

_prepared = (
    func.unnest(
        bindparam("keys", type_=ARRAY(Text)),
        bindparam("payloads", type_=ARRAY(Text)),
        bindparam("hashes", type_=ARRAY(LargeBinary)),
        bindparam("submission_ids", type_=ARRAY(Text)),
        bindparam("positions", type_=ARRAY(Integer)),
    )
    .table_valued("keys", "payloads", "hashes", "submission_ids", "positions")
    .render_derived(name="prepared")
)
_single: Mapping[str, ColumnElement[Any]] = {
    "keys": bindparam("keys", type_=Text),
    "payloads": bindparam("payloads", type_=Text),
    "hashes": bindparam("hashes", type_=LargeBinary),
    "submission_ids": bindparam("submission_ids", type_=Text),
    "positions": bindparam("positions", type_=Integer),
}


def _row(prepared: Mapping[str, ColumnElement[Any]]) -> dict[str, ColumnElement[Any]]:
    payload = cast(prepared["payloads"], JSONB)
    return {
        "idempotency_key": prepared["keys"],
        "item": payload["item"].astext,
        "quantity": payload["quantity"].astext.cast(Integer),
        "content_hash": prepared["hashes"],
        "submission_id": prepared["submission_ids"],
        "position": prepared["positions"],
        "batch_id": bindparam("batch_id", type_=Uuid),
    }


def _once(statement: Insert) -> ReturningInsert[tuple[str]]:
    """Leave keys alone that are stored already, and give back the others."""
    once = statement.on_conflict_do_nothing(index_elements=[orders.c.idempotency_key])
    return once.returning(orders.c.idempotency_key)


_rows = _row(dict(_prepared.c.items()))
INSERT_ROWS = _once(insert(orders).from_select(list(_rows), select(*_rows.values())))
INSERT_ROW = _once(insert(orders).values(_row(_single)))
SELECT_STORED = select(
    orders.c.idempotency_key, orders.c.content_hash, orders.c.submission_id, orders.c.position
).where(orders.c.idempotency_key == any_(bindparam("keys", type_=ARRAY(Text))))
