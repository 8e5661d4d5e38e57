"""The statements that look rows up: what is stored under their keys, and their receipts."""

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
    true,
)
from sqlalchemy.dialects.postgresql import JSONB

from batching_demo.contracts.targets import OnConflict
from batching_demo.database.models import receipts
from batching_demo.database.targets.sql.sent import (
    came_arrays,
    has_field,
    is_null,
    same_keys,
    sent_rows,
    sql_text,
)
from batching_demo.database.targets.sql.storing import returned_json
from batching_demo.database.writing.answers import CONFLICT, DUPLICATE, STALE
from batching_demo.database.writing.sender import STANDBYS_ARE_AWAITED

if TYPE_CHECKING:
    from batching_demo.database.targets.own_target import OwnColumn, OwnTarget

ROW_OF_STANDBYS = f"UNION ALL SELECT NULL, NULL, NULL WHERE {STANDBYS_ARE_AWAITED}"
"""A further row says that commits wait for standbys."""


def compare_rows(target: "OwnTarget") -> Select[Any]:
    """Return the look-up of rows by key: the place of each, its verdict, and what it returns.

    The verdict is NULL for a record that should have replaced what is stored.
    """
    sent = sent_rows(target, with_defaults=False)
    present = target.present
    returned = cast(returned_json(target, present), Text)
    code = _verdict(target, sent)
    found = select(
        sent.c[target.helpers.place], code, case((code == sql_text(DUPLICATE), returned))
    )
    on = and_(*same_keys(target, sent, present))
    return found.join(present, on).suffix_with(ROW_OF_STANDBYS)


def find_receipts() -> Select[Any]:
    """Return the look-up of receipts, with the same columns. It casts no value of a record."""
    came = (
        func.unnest(*came_arrays(with_receipts=True))
        .table_valued("submission_id", "position", with_ordinality="place")
        .render_derived(name="came")
    )
    on = and_(
        receipts.c.submission_id == came.c.submission_id,
        receipts.c.position == came.c.position,
        receipts.c.target == bindparam("target", type_=Text),
    )
    found = select(came.c.place, receipts.c.verdict, cast(receipts.c.returned, Text))
    return found.join(receipts, on).suffix_with(ROW_OF_STANDBYS)


def _verdict(target: "OwnTarget", sent: CTE) -> ColumnElement[Any]:
    """Return the verdict of a record, by the row that is stored under its key."""
    if target.declaration.on_conflict is OnConflict.UPDATE:
        return cast(null(), Text)
    same = and_(true(), *(_is_same(target, one, sent) for one in target.compared))
    compared = (same, sql_text(DUPLICATE))
    if target.newest_by is None:
        return case(compared, else_=sql_text(CONFLICT))
    new, old = sent.c[target.newest_by.name], target.present.c[target.newest_by.name]
    is_newer = or_(is_null(old), is_null(new), old < new)
    stale = (old > new, sql_text(STALE))
    return case((is_newer, null()), stale, compared, else_=sql_text(CONFLICT))


def _is_same(target: "OwnTarget", one: "OwnColumn", sent: CTE) -> ColumnElement[bool]:
    """Return whether a stored column has what the record has. A field that it lacks is the same."""
    stored: ColumnElement[Any] = target.present.c[one.name]
    new: ColumnElement[Any] = sent.c[one.name]
    if not one.has_equality:
        comparable = JSONB if one.is_json else Text
        stored, new = cast(stored, comparable), cast(new, comparable)
    same = stored.is_not_distinct_from(new)
    if one in target.assumed:
        return same
    return or_(not_(has_field(sent.c[target.helpers.payload], one)), same)
