"""A target with what the catalogs of Postgres say of its table."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from sqlalchemy import Alias, Column, MetaData, Table
from sqlalchemy.sql import quoted_name

from batching_demo.contracts.targets import TargetDeclaration
from batching_demo.database.targets.own_statements import OwnStatements
from batching_demo.database.targets.sql.all_statements import OwnSql
from batching_demo.database.targets.sql.helpers import Helpers
from batching_demo.database.targets.sql_type import SqlType
from batching_demo.database.writing.rows import BatchInfo, Rows
from batching_demo.database.writing.sender import Sender

CONSTANT = re.compile(r"(-?[\d.]+|'([^']|'')*'|true|false)(::[^()]+(\([\d,]+\))?)?")
"""A default that is a constant, as Postgres writes it."""


@dataclass(frozen=True)
class OwnColumn:
    """One column of an own table."""

    name: str
    type: str
    """As it is declared, such as `numeric(12,2)`."""
    base_type: str
    """The same, but of a domain the type that it is made of, with its length and precision."""
    plain_type: str
    """The same without length and precision."""
    category: str
    """The `typcategory` of the base type, such as "A" for arrays, "C" for composite types."""
    collation: str | None
    """As SQL names it; None if it is that of the type."""
    has_equality: bool
    """Whether the type has an equality that compares what it holds, which json and point lack."""
    field: str | None
    """The field of a record that fills it; None if it fills itself, or keeps its default."""
    default: str | None
    """As an SQL expression. Of an identity column it is `nextval` of its sequence."""
    not_null: bool
    """NOT NULL, also by its domain."""
    is_generated: bool
    identity: str
    """"always", "by default", or empty."""

    @property
    def needs_value(self) -> bool:
        """Whether it refuses rows without a value for it."""
        fills_itself = self.is_generated or self.identity or self.default is not None
        return self.not_null and not fills_itself

    @property
    def is_json(self) -> bool:
        """Whether it takes any JSON value as it is."""
        return self.plain_type in ("json", "jsonb")


@dataclass(frozen=True)
class OwnTarget:
    """A declared target whose table is known."""

    declaration: TargetDeclaration
    schema: str
    table_name: str
    columns: tuple[OwnColumn, ...]
    """All columns, in the order of the table."""
    before_triggers: tuple[str, ...]
    """Row triggers BEFORE INSERT or UPDATE, which may change or swallow a row."""

    @property
    def name(self) -> str:
        """The name of the target."""
        return self.declaration.name

    @cached_property
    def table(self) -> Table:
        """The table, with every name quoted."""
        return Table(
            quoted_name(self.table_name, quote=True),
            MetaData(),
            *(Column(quoted_name(one.name, quote=True), SqlType(one.type)) for one in self.columns),
            schema=quoted_name(self.schema, quote=True),
        )

    @cached_property
    def present(self) -> Alias[Any]:
        """The table by a name that no part of a statement has, whatever its own name is."""
        return cast(Alias[Any], self.table.alias("present"))

    @cached_property
    def filled(self) -> Sequence[OwnColumn]:
        """The columns that fields of a record fill, those of the key included."""
        return [one for one in self.columns if one.field is not None]

    @cached_property
    def key(self) -> Sequence[OwnColumn]:
        """The columns of the key, in the order of the declaration."""
        return self._named(self.declaration.key)

    @cached_property
    def newest_by(self) -> OwnColumn | None:
        """The column that says which record is newer, if any does."""
        name = self.declaration.newest_by
        return self.column(name) if name else None

    @cached_property
    def deciding(self) -> Sequence[OwnColumn]:
        """The columns that a record needs a value for: of the key, and the one of `newest_by`."""
        return [*self.key, *([self.newest_by] if self.newest_by else [])]

    @cached_property
    def compared(self) -> Sequence[OwnColumn]:
        """The filled columns besides those of the key."""
        return [one for one in self.filled if one not in self.key]

    @cached_property
    def assumed(self) -> Sequence[OwnColumn]:
        """Those of `deciding` with a default that counts if the record lacks the field.

        It is a constant. From any other default a repetition of the record could get another value.
        """
        return [one for one in self.deciding if CONSTANT.fullmatch(one.default or "")]

    @cached_property
    def defaulted(self) -> Sequence[OwnColumn]:
        """The other filled columns with a default, which a new row takes for a missing field."""
        return [one for one in self.filled if one.default and one not in self.deciding]

    @cached_property
    def returned(self) -> Sequence[OwnColumn]:
        """The columns that the requester gets back."""
        return self._named(self.declaration.returned)

    @cached_property
    def sql(self) -> OwnSql:
        """The statements, built once for all writes."""
        return OwnSql(self)

    def statements(self, sender: Sender, rows: Rows, batch: BatchInfo | None) -> OwnStatements:
        """Return the statements of one write."""
        del batch  # no column gets anything of it
        return OwnStatements(self.sql, sender, rows)

    @cached_property
    def helpers(self) -> Helpers:
        """The names of the columns that statements have besides those of the table."""
        return Helpers.beside([one.name for one in self.columns])

    def column(self, name: str) -> OwnColumn:
        """Return the column of a name."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, OwnColumn]:
        return {one.name: one for one in self.columns}

    def _named(self, names: Sequence[str]) -> Sequence[OwnColumn]:
        return [self.column(name) for name in names]
