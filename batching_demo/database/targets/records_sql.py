"""The statements of the built-in table `records`."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, any_, bindparam, cast, func, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, Insert, insert
from sqlalchemy.sql.dml import ReturningInsert

from batching_demo.database.models import records
from batching_demo.database.writing.rows import BATCH_VALUES, RECORD_VALUES, BatchInfo, Rows
from batching_demo.database.writing.sender import STANDBYS_ARE_AWAITED

LookUp = Select[str, bytes, str, int]
SENT = {name: kind for name, kind in RECORD_VALUES.items() if name in records.c}
"""The values of records that the statements take, with the types that they are sent as."""
FILLED = (*SENT, *BATCH_VALUES)
"""The columns that the INSERT sets. The others get their defaults."""


def _insert_rows() -> ReturningInsert[str]:
    """Return the INSERT of a batch. It takes arrays, so its text is the same for all sizes."""
    sent = (
        func.unnest(*(bindparam(name, type_=ARRAY(kind)) for name, kind in SENT.items()))
        .table_valued(*SENT)
        .render_derived(name="sent")
    )
    filled = _filled(dict(sent.c.items()))
    return _once(insert(records).from_select([*filled], select(*filled.values())))


def _insert_row() -> ReturningInsert[str]:
    """Return the INSERT of one row, for the path that does not batch."""
    sent = {name: bindparam(name, type_=kind) for name, kind in SENT.items()}
    return _once(insert(records).values(_filled(sent)))


def _insert_copy() -> ReturningInsert[str]:
    """Return the INSERT of a copy of any stored row under another key, to be rolled back."""
    copied: dict[str, ColumnElement[Any]] = {name: records.c[name] for name in FILLED}
    copied["idempotency_key"] = bindparam("key", type_=Text)
    one = select(*copied.values()).select_from(records).limit(1)
    return _once(insert(records).from_select([*copied], one))


def _select_stored() -> LookUp:
    """Return the look-up of keys.

    Of each row that is stored, it returns the key and what verdicts follow from. A further row of
    NULLs says that commits wait for standbys. That is text, since SQLAlchemy reads a statement
    through for each execution.
    """
    row = records.c
    stored = select(row.idempotency_key, row.content_hash, row.submission_id, row.position)
    asked = any_(bindparam("keys", type_=ARRAY(Text)))
    standbys = f"UNION ALL SELECT NULL, NULL, NULL, NULL WHERE {STANDBYS_ARE_AWAITED}"
    return stored.where(row.idempotency_key == asked).suffix_with(standbys)


def _once(statement: Insert) -> ReturningInsert[str]:
    """Return a statement that inserts only keys that are not stored, and returns these."""
    once = statement.on_conflict_do_nothing(index_elements=[records.c.idempotency_key])
    return once.returning(records.c.idempotency_key)


def _filled(sent: Mapping[str, ColumnElement[Any]]) -> dict[str, ColumnElement[Any]]:
    """Return what each column of `FILLED` gets, from the values of records by name."""
    of_batch = {name: bindparam(name, type_=kind) for name, kind in BATCH_VALUES.items()}
    return {**sent, "payload": cast(sent["payload"], JSONB), **of_batch}


INSERT_ROWS = _insert_rows()
INSERT_ROW = _insert_row()
INSERT_COPY = _insert_copy()
SELECT_STORED = _select_stored()


def arrays(rows: Rows, chosen: Sequence[int], batch: BatchInfo) -> dict[str, object]:
    """Return the parameters of `INSERT_ROWS`.

    Args:
        rows: The rows of the write.
        chosen: The numbers of those to insert, in their order. There may be none.
        batch: What all rows have in common.
    """
    of_records = {name: [rows.sent[name][row] for row in chosen] for name in SENT}
    return of_records | _of_batch(batch)


def scalars(rows: Rows, row: int, batch: BatchInfo) -> dict[str, object]:
    """Return the parameters of `INSERT_ROW` for the row of a number."""
    return {name: rows.sent[name][row] for name in SENT} | _of_batch(batch)


def _of_batch(batch: BatchInfo) -> dict[str, object]:
    """Return the parameters that all rows have in common."""
    return {name: getattr(batch, name) for name in BATCH_VALUES}
