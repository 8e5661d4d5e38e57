"""What is wrong with a declared target, in words for the person who has to correct it."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Row

from batching_demo.contracts.targets import OnConflict, TargetDeclaration, suggest
from batching_demo.database.targets.reflection import Facts, is_of_key
from batching_demo.database.targets.table_name import parse_table_name

TABLES = ("r", "p")
"""The `relkind` of tables: plain ones, and partitioned ones."""
OTHER_KINDS = {
    "v": "a view: name the table behind it",
    "m": "a materialized view, which takes no rows: name a table",
    "f": "a foreign table, and Postgres checks no key there: name the table in a batcher worker of"
    " that database",
    "S": "a sequence: name a table",
    "c": "a type: name a table",
    "t": "a TOAST table: name the table that it belongs to",
}
"""What is in the place of a table, by `relkind`."""
MOST_RETURNED = 50
"""Postgres takes twice as many arguments, a name and a value for each."""


def find_problems(declaration: TargetDeclaration, facts: Facts) -> list[str]:
    """Return everything that stands against a target, each in one line. None is left out."""
    problems = [*_of_declaration(declaration)]
    if problem := find_problem_of_table(declaration, facts):
        return [*problems, problem]
    columns = {one.name: one for one in facts.columns}
    return [
        *problems,
        *_of_relation(declaration, facts),
        *_of_names(declaration, columns),
        *_of_columns(declaration, facts.columns),
        *_of_key(declaration, facts, columns),
        *_of_privileges(declaration, facts),
    ]


def find_problem_of_table(declaration: TargetDeclaration, facts: Facts) -> str | None:
    """Return why a target has no table, in one line; None if it has one."""
    if facts.relation is None:
        return _no_table(declaration, facts)
    if facts.relation.kind not in TABLES:
        return f"{declaration.table} is {OTHER_KINDS[facts.relation.kind]}"
    return None


def find_warnings(declaration: TargetDeclaration, facts: Facts) -> list[str]:
    """Return what a target works with, but what may surprise its user."""
    warnings = []
    names = ", ".join(one.name for one in facts.interfering if one.what == "trigger")
    if names and not declaration.receipts:
        warnings.append(
            f"BEFORE trigger {names} may change what is stored, so that a repeated record looks"
            " like another one: receipts = true is recommended"
        )
    if facts.relation is not None and facts.relation.is_secured:
        warnings.append(
            "row level security applies to this role: a record that a policy refuses or hides is"
            " rejected"
        )
    if heir := next((one.name for one in facts.interfering if one.what == "heir"), None):
        warnings.append(
            f"tables inherit from it, such as {heir}: a record is compared with their rows too and"
            " may change them, and no key is unique among all of them"
        )
    return warnings


def _of_declaration(declaration: TargetDeclaration) -> Iterator[str]:
    """Find what is wrong without any look at the table."""
    by, newest = declaration.newest_by, declaration.on_conflict is OnConflict.NEWEST
    if len({*declaration.key}) < len(declaration.key):
        yield "key names a column twice: leave one out"
    if not declaration.key:
        yield "key names no column: name those of a unique constraint"
    if declaration.on_conflict is OnConflict.UPDATE and not declaration.receipts:
        yield (
            'on_conflict = "update" is not safe to repeat, since an old submission that is sent'
            ' again overwrites newer data: add receipts = true, or take "newest"'
        )
    if newest and by is None:
        yield 'on_conflict = "newest" needs newest_by: name the column that says which is newer'
    if by is not None and not newest:
        yield 'newest_by is for on_conflict = "newest" only: change that, or leave newest_by out'
    if by is not None and by in declaration.key:
        yield f"newest_by is {by}, a column of the key, which never differs: name another one"
    if len(declaration.returned) > MOST_RETURNED:
        yield (
            f"return names {len(declaration.returned)} columns, and Postgres takes {MOST_RETURNED}"
            " in one object: return fewer"
        )
    for column in (*declaration.key, *([by] if by is not None and newest else [])):
        if declaration.field_of(column) is None:
            yield f"columns leaves {column} to its default, and it has to be filled: name a field"


def _no_table(declaration: TargetDeclaration, facts: Facts) -> str:
    if parse_table_name(declaration.table) is None:
        return (
            f"table is {declaration.table!r}, which is no name of a table: write schema.table or"
            ' table, and put "..." around a name with odd characters'
        )
    if facts.similar:
        return f"there is no table {declaration.table}: is it {' or '.join(facts.similar)}?"
    return f"there is no table {declaration.table}: create it, or correct its name"


def _of_relation(declaration: TargetDeclaration, facts: Facts) -> Iterator[str]:
    assert facts.relation is not None
    if facts.relation.is_temporary:
        yield f"{declaration.table} is a temporary table, which others do not see: name another"
    if rules := ", ".join(one.name for one in facts.interfering if one.what == "rule"):
        yield f"rule {rules} replaces what is written: Postgres takes no ON CONFLICT with it"


def _of_names(declaration: TargetDeclaration, columns: dict[str, Row[Any]]) -> Iterator[str]:
    """Find columns that are named and not there."""
    by = [declaration.newest_by] if declaration.newest_by else []
    for where, names in (
        ("key", declaration.key),
        ("columns", declaration.columns),
        ("newest_by", by),
        ("return", declaration.returned),
    ):
        for name in names:
            if name not in columns:
                hint = suggest(name, columns)
                yield f"{where} names column {name}, which is not there: {hint}"


def _of_columns(declaration: TargetDeclaration, columns: Sequence[Row[Any]]) -> Iterator[str]:
    """Find columns that are filled and cannot be, and the other way round."""
    for one in columns:
        deciding = (*declaration.key, declaration.newest_by)
        is_named = declaration.columns.get(one.name) is not None or one.name in deciding
        if is_named and one.is_generated:
            yield f"column {one.name} is generated, so nothing can fill it: leave it out"
        elif is_named and one.identity == "always":
            yield f"column {one.name} is GENERATED ALWAYS AS IDENTITY: leave it out"
        elif not _fills_itself(one) and declaration.field_of(one.name) is None:
            yield f"column {one.name} is NOT NULL without a default, and nothing fills it: map it"


def _fills_itself(column: Row[Any]) -> bool:
    """Return whether a column needs no value."""
    has_default = column.default or column.default_of_domain or column.identity
    return bool(column.is_generated or has_default or not column.not_null)


def _of_key(
    declaration: TargetDeclaration, facts: Facts, columns: dict[str, Row[Any]]
) -> Iterator[str]:
    """Find why no unique index can find conflicts of the key."""
    if not declaration.key or not {*declaration.key} <= columns.keys():
        return
    if any(is_of_key(index, declaration) for index in facts.indexes):
        return
    key = ", ".join(declaration.key)
    same = [index for index in facts.indexes if {*index.columns} == {*declaration.key}]
    unfit = "; ".join(f"index {one.name} is {_why_unfit(one)}" for one in same)
    plain = [one for one in facts.indexes if not one.is_partial and not one.has_expressions]
    others = " or ".join(f"({', '.join(one.columns)})" for one in plain if one not in same)
    yield (
        f"nothing makes the key ({key}) unique{f' ({unfit})' if unfit else ''}: add a unique"
        f" constraint on it{f', or name the columns of one that is there: {others}' * bool(others)}"
    )


def _why_unfit(index: Row[Any]) -> str:
    """Return why an index cannot find conflicts."""
    reasons = {
        "partial": index.is_partial,
        "deferrable": index.is_deferrable,
        "on expressions": index.has_expressions,
        "not valid": not index.is_valid,
        "of another collation than its column": index.is_of_other_collation,
    }
    return " and ".join(reason for reason, holds in reasons.items() if holds)


def _of_privileges(declaration: TargetDeclaration, facts: Facts) -> Iterator[str]:
    """Find what the role may not do."""
    assert facts.relation is not None
    table, role = declaration.table, facts.relation.role
    if not facts.relation.may_use_schema:
        schema = facts.relation.schema
        grant = f"GRANT USAGE ON SCHEMA {schema} TO {role}"
        yield f"role {role} lacks USAGE on schema {schema}: {grant}"
    filled = [
        one
        for one in facts.columns
        if not (one.is_generated or one.identity == "always" or not declaration.field_of(one.name))
    ]
    read = {*declaration.key, *declaration.returned, *(one.name for one in filled)}
    updates = declaration.on_conflict is not OnConflict.IGNORE
    needed = {
        "INSERT": [one.name for one in filled if not one.may_insert],
        "SELECT": [one.name for one in facts.columns if one.name in read and not one.may_select],
        "UPDATE": [one.name for one in filled if updates and not one.may_update],
    }
    for privilege, lacking in needed.items():
        if lacking:
            yield (
                f"role {role} lacks {privilege} on {table} ({', '.join(lacking)}):"
                f" GRANT {privilege} ON {table} TO {role}"
            )
    for sequence in (one.locked_sequence for one in facts.columns if one.locked_sequence):
        yield f"role {role} lacks USAGE on {sequence}: GRANT USAGE ON SEQUENCE {sequence} TO {role}"
