"""The SQL of a write, built once; SQLAlchemy caches what it renders to."""

from sqlalchemy import (
    BigInteger,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    Uuid,
    any_,
    bindparam,
    cast,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, Insert, insert
from sqlalchemy.sql.selectable import Select

from batching_demo.database.models import records


def _bulk_insert() -> Insert:
    """Build one INSERT that takes arrays, so that its text is the same for every batch size."""
    prepared = (
        func.unnest(
            bindparam("keys", type_=ARRAY(Text)),
            bindparam("lines", type_=ARRAY(BigInteger)),
            bindparam("payloads", type_=ARRAY(Text)),
            bindparam("hashes", type_=ARRAY(LargeBinary)),
            bindparam("positions", type_=ARRAY(Integer)),
            bindparam("submission_ids", type_=ARRAY(Text)),
            bindparam("sources", type_=ARRAY(Text)),
            bindparam("run_labels", type_=ARRAY(Text)),
        )
        .table_valued(
            "idempotency_key",
            "line",
            "payload",
            "content_hash",
            "position",
            "submission_id",
            "source",
            "run_label",
        )
        .render_derived(name="prepared")
    )
    columns = {
        "idempotency_key": prepared.c.idempotency_key,
        "line": prepared.c.line,
        "payload": cast(prepared.c.payload, JSONB),
        "content_hash": prepared.c.content_hash,
        "position": prepared.c.position,
        "submission_id": prepared.c.submission_id,
        "source": prepared.c.source,
        "run_label": prepared.c.run_label,
        "batch_id": bindparam("batch_id", type_=Uuid),
        "write_path": bindparam("write_path", type_=Text),
        "shard": bindparam("shard", type_=SmallInteger),
    }
    return (
        insert(records)
        .from_select(list(columns), select(*columns.values()))
        .on_conflict_do_nothing(index_elements=[records.c.idempotency_key])
    )


def _single_insert() -> Insert:
    """Build the INSERT of one row, for the path that does not batch."""
    values = {
        "idempotency_key": bindparam("keys", type_=Text),
        "line": bindparam("lines", type_=BigInteger),
        "payload": cast(bindparam("payloads", type_=Text), JSONB),
        "content_hash": bindparam("hashes", type_=LargeBinary),
        "position": bindparam("positions", type_=Integer),
        "submission_id": bindparam("submission_ids", type_=Text),
        "source": bindparam("sources", type_=Text),
        "run_label": bindparam("run_labels", type_=Text),
        "batch_id": bindparam("batch_id", type_=Uuid),
        "write_path": bindparam("write_path", type_=Text),
        "shard": bindparam("shard", type_=SmallInteger),
    }
    return (
        insert(records)
        .values(values)
        .on_conflict_do_nothing(index_elements=[records.c.idempotency_key])
    )


def _stored() -> Select[tuple[str, bytes, str, int]]:
    keys = bindparam("keys", type_=ARRAY(Text))
    return select(
        records.c.idempotency_key,
        records.c.content_hash,
        records.c.submission_id,
        records.c.position,
    ).where(records.c.idempotency_key == any_(keys))


INSERT_ROWS = _bulk_insert().returning(records.c.idempotency_key)
INSERT_ROW = _single_insert().returning(records.c.idempotency_key)
SELECT_STORED = _stored()
