"""A table of your own for orders, and which of its columns gets what."""

from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, Text, Uuid

from batching_demo import Target

orders = Table(
    "orders",
    MetaData(),
    # "C" is the order that batches are sorted in.
    Column("idempotency_key", Text(collation="C"), primary_key=True),
    Column("item", Text, nullable=False),
    Column("quantity", Integer, nullable=False),
    # Verdicts follow from these three.
    Column("content_hash", LargeBinary, nullable=False),
    Column("submission_id", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("batch_id", Uuid, nullable=False),
)

ORDERS = Target(
    orders,
    columns={
        "item": lambda payload: payload["item"].astext,
        "quantity": lambda payload: payload["quantity"].astext.cast(Integer),
    },
)
