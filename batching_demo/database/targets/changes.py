"""What of a table has changed since a target was reflected, as far as writes depend on it."""

from collections.abc import Iterator

from batching_demo.database.targets.own_target import OwnColumn, OwnTarget


def find_changes(before: OwnTarget, after: OwnTarget) -> list[str]:
    """Return what has changed, each in a few words.

    A new column that needs no value is no change: it keeps its default until workers restart.
    """
    now = {one.name: one for one in after.columns}
    known = {one.name for one in before.columns}
    changes = []
    if (before.schema, before.table_name) != (after.schema, after.table_name):
        changes.append(f"{before.schema}.{before.table_name} is {after.schema}.{after.table_name}")
    for column in before.columns:
        changes += _of_column(column, now.get(column.name))
    needed = (one for one in after.columns if one.name not in known and one.needs_value)
    return changes + [f"column {one.name} is new, NOT NULL and without a default" for one in needed]


def _of_column(before: OwnColumn, after: OwnColumn | None) -> Iterator[str]:
    if after is None:
        yield f"column {before.name} is gone"
        return
    if before.type != after.type:
        yield f"column {before.name} was {before.type} and is {after.type}"
    if after.needs_value and not before.needs_value:
        yield f"column {before.name} is NOT NULL without a default"
    if before.collation != after.collation:
        yield f"column {before.name} has another collation"
    if before.default != after.default:
        yield f"column {before.name} has another default"
    if before.is_generated != after.is_generated or before.identity != after.identity:
        yield f"column {before.name} is filled otherwise"
