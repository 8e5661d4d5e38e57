"""The tables, as Alembic compares them with the database."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    func,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB

from batching_demo.contracts.targets import RECORDS_TARGET

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

records = Table(
    "records",
    metadata,
    # Replayed batches use up identity values, so ids have gaps.
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    # Batches are sorted by key in Python; "C" is the same order, and the cheapest to compare.
    Column("idempotency_key", Text(collation="C"), nullable=False, unique=True),
    Column("source", Text, nullable=False),
    Column("line", BigInteger, nullable=False),
    Column("payload", JSONB, nullable=False),
    Column("content_hash", LargeBinary, nullable=False),
    Column("submission_id", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("batch_id", Uuid, nullable=False),
    Column("write_path", Text, nullable=False),
    Column("run_label", Text, nullable=False),
    # Of the batcher; NULL where none is involved.
    Column("shard", SmallInteger),
    Column("written_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    # Digest of reason, key or source and line, and record: a repeat is the same dead letter.
    Column("identity", LargeBinary, nullable=False, unique=True),
    Column("idempotency_key", Text(collation="C")),
    Column("source", Text, nullable=False),
    Column("line", BigInteger, nullable=False),
    # ASCII with other characters and controls escaped, so that a NUL can be kept.
    Column("record", Text, nullable=False),
    Column("truncated", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("sqlstate", Text),
    Column("requester", Text, nullable=False),
    Column("run_label", Text, nullable=False),
    Column("batch_id", Uuid),
    Column("status", Text, nullable=False, server_default="open"),
    Column("attempts", Integer, nullable=False, server_default="1"),
    Column("first_seen", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("last_seen", DateTime(timezone=True), nullable=False, server_default=func.now()),
    # By its name, as submissions have it.
    Column("target", Text, nullable=False, server_default=RECORDS_TARGET),
    CheckConstraint("status IN ('open', 'retried', 'discarded')", name="status"),
)

receipts = Table(
    "receipts",
    metadata,
    # "C" is the cheapest collation to compare.
    Column("submission_id", Text(collation="C"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("target", Text(collation="C"), primary_key=True),
    # The character of a verdict as it travels: w, u or s.
    Column("verdict", Text, nullable=False),
    Column("returned", JSON),
    Column("written_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

database_identity = Table(
    "database_identity",
    metadata,
    Column("is_only_row", Boolean, primary_key=True, server_default=true()),
    Column("identity", Uuid, nullable=False),
    CheckConstraint("is_only_row", name="is_only_row"),
)
