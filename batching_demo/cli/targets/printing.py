"""Print what is known of a target: its mapping, its SQL, and what stands against it."""

from textwrap import indent
from typing import Any

import click

from batching_demo.contracts.targets import OnConflict, TargetDeclaration
from batching_demo.database.targets.check import CheckedTarget
from batching_demo.database.targets.own_target import OwnColumn, OwnTarget

ON_CONFLICT = {
    OnConflict.IGNORE: "a key that is stored stays as it is",
    OnConflict.NEWEST: "a higher {newest_by} replaces what is stored",
    OnConflict.UPDATE: "each record replaces what is stored",
}


def print_target(checked: CheckedTarget) -> None:
    """Print a target for a person."""
    declared = checked.declaration
    click.echo(f"{declared.name} -> {declared.table}, key ({', '.join(declared.key)})")
    click.echo(f"  {_rule(declared)}")
    if checked.target:
        _print_mapping(checked.target)
        _print_sql(checked.target)
    for words in checked.warnings:
        click.echo(f"  warning: {words}")
    for words in checked.problems:
        click.echo(f"  problem: {words}")
    if not checked.problems:
        click.echo("  it can work")


def as_json_object(checked: CheckedTarget) -> dict[str, Any]:
    """Return the same as an object for JSON."""
    declared, target = checked.declaration, checked.target
    return {
        "name": declared.name,
        "table": declared.table,
        "declared_in": declared.origin,
        "key": list(declared.key),
        "on_conflict": declared.on_conflict,
        "newest_by": declared.newest_by,
        "return": list(declared.returned),
        "receipts": declared.receipts,
        "columns": [
            {"column": one.name, "type": one.type, "field": one.field, "default": one.default}
            for one in (target.columns if target else ())
        ],
        "sql": {what: sql.text for what, sql in target.sql.used().items()} if target else {},
        "problems": list(checked.problems),
        "warnings": list(checked.warnings),
    }


def _rule(declared: TargetDeclaration) -> str:
    rule = ON_CONFLICT[declared.on_conflict].format(newest_by=declared.newest_by)
    receipts = ", with receipts" if declared.receipts else ""
    returned = f"; returns {', '.join(declared.returned)}" if declared.returned else ""
    return f"{declared.on_conflict}: {rule}{receipts}{returned}"


def _print_mapping(target: OwnTarget) -> None:
    rows = [(one.name, one.type, _filled_by(one, target)) for one in target.columns]
    names, types = (max(len(row[at]) for row in rows) for at in (0, 1))
    for name, type_, filled in rows:
        click.echo(f"  {name:<{names}}  {type_:<{types}}  {filled}")


def _print_sql(target: OwnTarget) -> None:
    for what, sql in target.sql.used().items():
        click.echo(f"  to {what}:")
        click.echo(indent(sql.text, "    "))


def _filled_by(column: OwnColumn, target: OwnTarget) -> str:
    """Return what fills a column."""
    if column.is_generated:
        return "generated"
    if column.field is None:
        return "identity" if column.identity else f"its default, {column.default or 'NULL'}"
    if column.needs_value or column in target.deciding:
        return f"field {column.field}, which every record needs"
    default = f"{column.identity} identity" if column.identity else column.default or "NULL"
    return f"field {column.field}; without it {default}"
