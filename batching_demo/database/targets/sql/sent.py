"""The records of one statement as rows: each value as the type of its column, and ranked by key."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Text,
    bindparam,
    case,
    cast,
    column,
    func,
    literal_column,
    null,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.sql import quoted_name

from batching_demo.contracts.targets import OnConflict
from batching_demo.database.targets.sql_type import SqlType
from batching_demo.database.targets.table_name import LONGEST_NAME

if TYPE_CHECKING:
    from batching_demo.database.targets.own_target import OwnColumn, OwnTarget


def ranked_rows(target: "OwnTarget", *, with_defaults: bool) -> CTE:
    """Return the sent rows with the helpers `winner` and `lacks`.

    Of several rows with one key, as Postgres compares it, the winner is the first, the newest or
    the last, as the target says.

    Args:
        target: Where they go.
        with_defaults: As of `sent_rows`.
    """
    sent = sent_rows(target, with_defaults=with_defaults)
    winner = func.first_value(sent.c[target.helpers.place]).over(
        partition_by=[sent.c[one.name] for one in target.key], order_by=_best_first(target, sent)
    )
    lacks = case(
        *((is_null(sent.c[one.name]), sql_text(one.name)) for one in target.deciding),
        else_=null(),
    )
    return select(sent, winner.label(target.helpers.winner), lacks.label(target.helpers.lacks)).cte(
        "ranked"
    )


def _best_first(target: "OwnTarget", sent: CTE) -> list[ColumnElement[Any]]:
    """Return the order of rows that have one key."""
    place = sent.c[target.helpers.place]
    match target.declaration.on_conflict:
        case OnConflict.UPDATE:
            return [place.desc()]
        case OnConflict.NEWEST:
            assert target.newest_by is not None
            return [sent.c[target.newest_by.name].desc().nulls_last(), place]
        case _:
            return [place]


def sent_rows(target: "OwnTarget", *, with_defaults: bool) -> CTE:
    """Return the rows that the parameter `payloads` makes, an array of JSON texts.

    `jsonb_to_record` casts as an INSERT does: a text that is too long is refused, not cut. JSON
    null becomes SQL NULL, and arrays and composite types take JSON.

    Args:
        target: Where they go. Each column that it fills is in the result, by its name.
        with_defaults: Whether a missing field takes the default of its column. If not, it is NULL
            unless the column is one of `assumed`, and the result has the record too.
    """
    came = _came(target)
    source, values = _values(target, came)
    chosen = []
    for one in target.filled:
        value = values[one.name]
        if one in target.assumed or (with_defaults and one in target.defaulted):
            default = cast(literal_column(str(one.default)), SqlType(_cast(one)))
            value = case((has_field(came.c.payload, one), value), else_=default)
        chosen.append(value.label(quoted_name(one.name, quote=True)))
    if not with_defaults:
        chosen.append(came.c.payload.label(target.helpers.payload))
    if target.declaration.receipts:
        chosen += [
            came.c.submission_id.label(target.helpers.submission_id),
            came.c.position.label(target.helpers.position),
        ]
    return select(came.c.place.label(target.helpers.place), *chosen).select_from(source).cte("sent")


def cast_values(target: "OwnTarget") -> Select[Any]:
    """Return a statement that only casts the values of records.

    No function, default or constraint of the user's own takes part in it, a domain's included.
    """
    came = _came(target)
    source, _ = _values(target, came, without_domains=True)
    return select(func.count()).select_from(source)


def has_field(payload: ColumnElement[Any], one: "OwnColumn") -> ColumnElement[bool]:
    """Return whether the record has the field that fills a column."""
    return payload.bool_op("?")(sql_text(one.field or ""))


def is_null(value: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return whether a value of the user's table is NULL.

    IS NULL and IS NOT NULL look into a composite value, and say of one that is partly NULL that it
    is neither.
    """
    return value.is_not_distinct_from(null())


def sql_text(text: str) -> ColumnElement[str]:
    """Return a constant as text in the statement, so that it is no parameter."""
    escaped = text.replace("'", "''")
    return literal_column(f"'{escaped}'", Text)


def same_keys(target: "OwnTarget", one: FromClause, other: FromClause) -> list[ColumnElement[bool]]:
    """Return the conditions for two rows to have the same key, as Postgres compares it."""
    return [one.c[part.name] == other.c[part.name] for part in target.key]


def came_arrays(*, with_receipts: bool) -> list[ColumnElement[Any]]:
    """Return the parameters that tell which records of which submissions the rows are."""
    if not with_receipts:
        return []
    return [
        bindparam("submission_ids", type_=ARRAY(Text)),
        bindparam("positions", type_=ARRAY(Integer)),
    ]


def _came(target: "OwnTarget") -> Any:  # a TableValuedAlias
    """Return the parameters as rows."""
    payloads = cast(bindparam("payloads", type_=ARRAY(Text)), ARRAY(JSONB))
    others = came_arrays(with_receipts=target.declaration.receipts)
    names = ["submission_id", "position"] if others else []
    return (
        func.unnest(payloads, *others)
        .table_valued(column("payload", JSONB), *names, with_ordinality="place")
        .render_derived(name="came")
    )


def _values(
    target: "OwnTarget", came: Any, *, without_domains: bool = False
) -> tuple[Any, dict[str, ColumnElement[Any]]]:
    """Return what to select from, and the value for each column that a field fills.

    A field has the name of a column of `jsonb_to_record`. One that cannot, since another column has
    it or since it is too long, goes through a second call under another name.
    """
    by_field: dict[str, OwnColumn] = {}
    others: list[OwnColumn] = []
    for one in target.filled:
        field = one.field or ""
        if field in by_field or not 0 < len(field.encode()) <= LONGEST_NAME:
            others.append(one)
        else:
            by_field[field] = one
    type_of = _base_type if without_domains else _cast
    record = _record(came.c.payload, "record", by_field, type_of)
    source = came.join(record, true())
    values = {one.name: record.c[field] for field, one in by_field.items()}
    if others:
        parts: list[ColumnElement[Any]] = []
        for one in others:
            parts += [sql_text(one.name), came.c.payload.op("->")(sql_text(one.field or ""))]
        renamed = {one.name: one for one in others}
        more = _record(func.jsonb_build_object(*parts), "more", renamed, type_of)
        source = source.join(more, true())
        values |= {one.name: more.c[one.name] for one in others}
    return source, values


def _record(
    payload: ColumnElement[Any],
    name: str,
    columns: dict[str, "OwnColumn"],
    type_of: Callable[["OwnColumn"], str],
) -> Any:
    """Return a call of `jsonb_to_record`.

    Args:
        payload: The record.
        name: Of the result.
        columns: By the field of the record.
        type_of: The type that the value for a column is cast to.
    """
    typed = []
    for field, one in columns.items():
        collation = f" COLLATE {one.collation}" if one.collation else ""
        typed.append(column(quoted_name(field, quote=True), SqlType(type_of(one) + collation)))
    called = func.jsonb_to_record(payload).table_valued(*typed)
    return called.render_derived(name=name, with_types=True)


def _cast(one: "OwnColumn") -> str:
    """Return the type that a value is cast to.

    A domain with a default may be NOT NULL, and is checked before a missing field gets the default.
    So its base type is taken, and the INSERT checks the domain.
    """
    return one.base_type if one.default else one.type


def _base_type(one: "OwnColumn") -> str:
    return one.base_type
