"""The statements that store rows: the INSERT of new keys, and the change of rows that are there.

Each is one statement with data-modifying CTEs, so it does everything or nothing:

    WITH sent AS (...), ranked AS (...),        the records as rows, cast and ranked by key
         stored AS (INSERT ... RETURNING ...),  or an UPDATE
         answered AS (...),                     the result for each record
         kept AS (INSERT INTO receipts ...)     if the target has receipts
    SELECT ... FROM answered

What an INSERT returns is joined to the records by key, compared as the type of its columns. It is a
FULL JOIN, which Postgres never does by comparing each row with each. A stored row without a record
has got another key from a trigger.
"""

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    func,
    not_,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSON, insert

from batching_demo.contracts.targets import OnConflict
from batching_demo.database.batch_log.entries import entry_of
from batching_demo.database.models import receipts
from batching_demo.database.targets.sql.sent import (
    has_field,
    is_null,
    ranked_rows,
    same_keys,
    sql_text,
)
from batching_demo.database.writing.answers import STALE, UPDATED, WRITTEN

if TYPE_CHECKING:
    from batching_demo.database.targets.own_target import OwnTarget


def insert_rows(target: "OwnTarget", *, logged: bool = False) -> Select[Any]:
    """Return the INSERT of the winner of each key that is not stored yet.

    Args:
        target: Where they go.
        logged: Whether it writes an entry in the log of batches too.
    """
    ranked = ranked_rows(target, with_defaults=True)
    names = [one.name for one in target.filled]
    chosen = (
        select(*(ranked.c[name] for name in names))
        .where(*_wins(target, ranked))
        # So that two batches with the same keys lock them in the same order.
        .order_by(*(ranked.c[one.name] for one in target.key))
    )
    table = target.table
    needed = {one.name: table.c[one.name] for one in (*target.key, *target.returned)}
    stored = (
        insert(table)
        .from_select(names, chosen, include_defaults=False)
        .on_conflict_do_nothing(index_elements=[table.c[one.name] for one in target.key])
        .returning(*needed.values())
        .cte("stored")
    )
    on = and_(*same_keys(target, ranked, stored))
    is_stored = not_(is_null(stored.c[target.key[0].name]))
    answered = _answered(target, ranked, stored, on, is_stored, WRITTEN)
    return answered.add_cte(entry_of(stored)) if logged else answered


def change_rows(target: "OwnTarget", *, logged: bool = False) -> Select[Any]:
    """Return the change of stored rows by the winner of each key.

    Under `OnConflict.NEWEST` it must be newer.

    Args:
        target: Where they are.
        logged: As of `insert_rows`.
    """
    ranked = ranked_rows(target, with_defaults=False)
    present = target.present
    held = (
        select(ranked)
        .join(present, and_(*same_keys(target, ranked, present)))
        .where(*_wins(target, ranked), *_is_newer(target, ranked))
        # As of the INSERT. The UPDATE itself would lock rows in any order.
        .order_by(*(ranked.c[one.name] for one in target.key))
        .with_for_update(of=present, key_share=True)
        .cte("held")
    )
    stored = (
        update(present)
        .values(_changes(target, held))
        .where(*same_keys(target, present, held))
        .returning(held.c[target.helpers.place], *(present.c[one.name] for one in target.returned))
        .cte("stored")
    )
    on = ranked.c[target.helpers.winner] == stored.c[target.helpers.place]
    is_stored = stored.c[target.helpers.place].is_not(None)
    answered = _answered(target, ranked, stored, on, is_stored, UPDATED)
    return answered.add_cte(entry_of(stored)) if logged else answered


def _wins(target: "OwnTarget", ranked: CTE) -> list[ColumnElement[bool]]:
    return [
        ranked.c[target.helpers.place] == ranked.c[target.helpers.winner],
        ranked.c[target.helpers.lacks].is_(None),
    ]


def _is_newer(target: "OwnTarget", ranked: CTE) -> list[ColumnElement[bool]]:
    """Return the condition for a record to replace the stored row. A stored NULL is the oldest."""
    if target.newest_by is None:
        return []
    stored = target.present.c[target.newest_by.name]
    return [or_(is_null(stored), stored < ranked.c[target.newest_by.name])]


def _changes(target: "OwnTarget", held: CTE) -> dict[Any, ColumnElement[Any]]:
    """Return what each column gets from a record. A field that it lacks changes nothing."""
    present = target.present
    changes: dict[Any, ColumnElement[Any]] = {}
    for one in target.compared:
        old = present.c[one.name]
        new: ColumnElement[Any] = held.c[one.name]
        if one not in target.assumed:
            new = case((has_field(held.c[target.helpers.payload], one), new), else_=old)
        changes[old] = new
    # A table of nothing but its key has nothing to change, and its triggers run all the same.
    key = present.c[target.key[0].name]
    return changes or {key: key}


def _answered(
    target: "OwnTarget",
    ranked: CTE,
    stored: CTE,
    on: ColumnElement[bool],
    is_stored: ColumnElement[bool],
    verdict: str,
) -> Select[Any]:
    """Return the end of a statement: the result for each record, and receipts.

    Args:
        target: Where the records go.
        ranked: The records.
        stored: What was inserted or changed.
        on: Joins the two.
        is_stored: Whether a joined row has a part of `stored`.
        verdict: The code of a record that is stored.
    """
    wins = and_(is_stored, ranked.c[target.helpers.place] == ranked.c[target.helpers.winner])
    codes = [(wins, sql_text(verdict))]
    if target.declaration.on_conflict is OnConflict.UPDATE:
        codes.append(
            (and_(is_stored, ranked.c[target.helpers.place].is_not(None)), sql_text(STALE))
        )
    columns: list[ColumnElement[Any]] = [
        ranked.c[target.helpers.place].label("place"),
        ranked.c[target.helpers.winner].label("winner"),
        ranked.c[target.helpers.lacks].label("lacks"),
        case(*codes, else_=null()).label("code"),
        case((wins, returned_json(target, stored)), else_=null()).label("returned"),
    ]
    joined = ranked.join(stored, on, full=True)
    if not target.declaration.receipts:
        return _as_text(select(*columns).select_from(joined).subquery("answered"))
    columns.append(ranked.c[target.helpers.submission_id].label("submission_id"))
    columns.append(ranked.c[target.helpers.position].label("position"))
    answered = select(*columns).select_from(joined).cte("answered")
    return _as_text(answered).add_cte(_kept(answered))


def _as_text(answered: Any) -> Select[Any]:
    row = answered.c
    return select(row.place, row.winner, row.lacks, row.code, cast(row.returned, Text))


def _kept(answered: CTE) -> CTE:
    """Return the INSERT of receipts.

    A receipt that is there already fails the whole statement: it has no ON CONFLICT.
    """
    row = answered.c
    kept = select(
        bindparam("target", type_=Text),
        row.submission_id,
        row.position,
        row.code,
        row.returned,
    ).where(row.code.is_not(None))
    names = ["target", "submission_id", "position", "verdict", "returned"]
    return insert(receipts).from_select(names, kept, include_defaults=False).cte("kept")


def returned_json(target: "OwnTarget", row: Any) -> ColumnElement[Any]:
    """Return the columns that the requester gets back, as a JSON object.

    Args:
        target: Says which.
        row: The table, or a row of it.
    """
    if not target.returned:
        return cast(null(), JSON)
    parts: list[ColumnElement[Any]] = []
    for one in target.returned:
        parts += [sql_text(one.name), row.c[one.name]]
    return func.json_build_object(*parts)
