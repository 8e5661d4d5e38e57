"""The table that records go to: what each of its columns gets, and the SQL statements for it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sqlalchemy import (
    CHAR,
    Boolean,
    Column,
    ColumnElement,
    CompoundSelect,
    Select,
    String,
    Table,
    Text,
    any_,
    bindparam,
    cast,
    func,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, CITEXT, JSONB, Insert, asyncpg, insert
from sqlalchemy.sql.dml import ReturningInsert
from sqlalchemy.types import UserDefinedType

from batching_demo.database.models import records
from batching_demo.database.rows import BATCH_VALUES, RECORD_VALUES, BatchInfo, Rows

DECIDING = ("content_hash", "submission_id", "position")
"""Columns that every target needs besides its key, since verdicts follow from them."""
HAS_STANDBYS = "current_setting('synchronous_standby_names') <> ''"
"""SQL that says whether a commit waits for standbys."""
LookUp = CompoundSelect[Any, bytes, str, int]
Payload = ColumnElement[Any]
"""The payload of a record in an SQL statement, a JSONB value."""
Expression = Callable[[Payload], ColumnElement[Any]]
"""Returns the SQL expression for a column."""


class AnyLengthChar(UserDefinedType[str]):
    """CHAR without a length. To cast to one with a length would cut a key."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Return the name of the type."""
        return "BPCHAR"


@dataclass(frozen=True, eq=False)
class Target:
    """A table that records are written to.

    `columns` says what a column gets. A column that is not in it gets the value of its name, if
    there is one: see `RECORD_VALUES` and `BATCH_VALUES` in `batching_demo/database/rows.py`. Any
    other column gets its default.

    Args:
        table: It needs a unique constraint on the key alone, and the columns `content_hash`,
            `submission_id` and `position`, from which verdicts follow.
        columns: By the name of a column, a function that takes the payload, a JSONB value, and
            returns an SQL expression.
        key: The column that gets the idempotency key. Give it the collation "C", which is the
            order that batches are sorted in.

    Raises:
        ValueError: The table lacks a column, the column `key` cannot get the idempotency key, or
            SQLAlchemy can make no SQL of an expression.
    """

    table: Table
    columns: Mapping[str, Expression] = field(default_factory=dict)
    key: str = "idempotency_key"

    def __post_init__(self) -> None:
        missing = [
            name for name in (self.key, *DECIDING, *self.columns) if name not in self.table.c
        ]
        if missing:
            raise ValueError(f"table {self.table.name} has no column {', '.join(missing)}")
        if self.key in self.columns or not isinstance(self._key.type, String):
            raise ValueError(
                f"column {self.key} of table {self.table.name} gets the idempotency key: it has to"
                " be text, and columns may not say otherwise"
            )
        for name, expression in self.columns.items():
            self._check_expression(name, expression)

    @cached_property
    def insert_rows(self) -> ReturningInsert[str]:
        """The INSERT of a batch. It takes arrays, so its text is the same for every batch size."""
        sent = (
            func.unnest(*(bindparam(n, type_=ARRAY(RECORD_VALUES[n])) for n in self._sent))
            .table_valued(*self._sent)
            .render_derived(name="sent")
        )
        filled = self._filled(dict(sent.c.items()))
        return self._once(insert(self.table).from_select([*filled], select(*filled.values())))

    @cached_property
    def insert_row(self) -> ReturningInsert[str]:
        """The INSERT of one row, for the path that does not batch."""
        sent = {name: bindparam(name, type_=RECORD_VALUES[name]) for name in self._sent}
        return self._once(insert(self.table).values(self._filled(sent)))

    @cached_property
    def select_stored(self) -> LookUp:
        """The look-up of keys.

        Of each row that is stored, it returns the key and what verdicts follow from. A further row
        of NULLs says that commits wait for standbys.
        """
        return self._look_up(self._key, self._key == any_(self._asked))

    @cached_property
    def select_places(self) -> LookUp:
        """The look-up of keys that Postgres may have under another spelling.

        It returns the same as `select_stored`, but the place of the asked key among all, from 1.
        """
        asked = (
            func.unnest(self._asked)
            .table_valued("key", with_ordinality="place")
            .render_derived(name="asked")
        )
        return self._look_up(asked.c.place, self._key == asked.c.key)

    @cached_property
    def insert_copy(self) -> ReturningInsert[str]:
        """The INSERT of a copy of any stored row under another key, to be rolled back."""
        copied: dict[str, ColumnElement[Any]] = {n: self.table.c[n] for n in self._filled_names}
        copied[self.key] = bindparam("key", type_=Text)
        one = select(*copied.values()).select_from(self.table).limit(1)
        return self._once(insert(self.table).from_select([*copied], one))

    @cached_property
    def select_key_type(self) -> Select[str]:
        """The query for the name of the type that the key has in the database."""
        key = select(self._key).limit(0).scalar_subquery()
        return select(cast(func.pg_typeof(key), Text))

    def arrays(self, rows: Rows, chosen: Sequence[int], batch: BatchInfo) -> dict[str, object]:
        """Return the parameters of `insert_rows` for the chosen rows, in the order of `chosen`.

        Args:
            rows: The rows of the write.
            chosen: Numbers of rows.
            batch: What all rows have in common.
        """
        arrays: dict[str, object] = {}
        for name in self._sent:
            values = rows.sent[name]
            arrays[name] = [values[row] for row in chosen]
        return arrays | self._of_batch(batch)

    def scalars(self, rows: Rows, row: int, batch: BatchInfo) -> dict[str, object]:
        """Return the parameters of `insert_row` for one row.

        Args:
            rows: The rows of the write.
            row: The number of the row.
            batch: What all rows have in common.
        """
        return {name: rows.sent[name][row] for name in self._sent} | self._of_batch(batch)

    def nothing(self, batch: BatchInfo) -> dict[str, object]:
        """Return the parameters of `insert_rows` for no rows at all."""
        return {name: [] for name in self._sent} | self._of_batch(batch)

    @property
    def _key(self) -> Column[Any]:
        return self.table.c[self.key]

    @property
    def _asked(self) -> ColumnElement[Any]:
        """The asked keys, as a parameter of the type that Postgres compares the key as."""
        keys: ColumnElement[Any] = bindparam("keys", type_=ARRAY(Text))
        if isinstance(self._key.type, CITEXT):
            return cast(keys, ARRAY(CITEXT))
        return cast(keys, ARRAY(AnyLengthChar)) if isinstance(self._key.type, CHAR) else keys

    def _look_up(self, first: ColumnElement[Any], where: ColumnElement[bool]) -> LookUp:
        """Return a look-up by what is returned first, and by which rows."""
        deciding = [self.table.c[name] for name in DECIDING]
        nothing: list[ColumnElement[Any]] = [literal_column("NULL") for _ in (first, *deciding)]
        standbys = select(*nothing).where(literal_column(HAS_STANDBYS, type_=Boolean))
        return select(first, *deciding).where(where).union_all(standbys)

    @cached_property
    def _sent(self) -> list[str]:
        """The names of the values of a record that the statements take as parameters."""
        needed = {"idempotency_key", *(name for name in RECORD_VALUES if name in self.table.c)}
        needed |= {"payload"} if self.columns else set()
        return [name for name in RECORD_VALUES if name in needed]

    def _filled(self, sent: Mapping[str, ColumnElement[Any]]) -> dict[str, ColumnElement[Any]]:
        """Return the SQL expression that each column gets, without columns that get their default.

        Args:
            sent: The parameters, by the names of `_sent`.
        """
        payload = cast(sent["payload"], JSONB) if "payload" in sent else None
        filled: dict[str, ColumnElement[Any]] = {self.key: sent["idempotency_key"]}
        for name in self.table.c.keys():  # noqa: SIM118  # it would yield columns
            if name in self.columns and payload is not None:
                filled[name] = self.columns[name](payload)
            elif name == "payload" and payload is not None:
                filled[name] = payload
            elif name in sent:
                filled[name] = sent[name]
            elif name in BATCH_VALUES:
                filled[name] = bindparam(name, type_=BATCH_VALUES[name])
        return filled

    @cached_property
    def _filled_names(self) -> list[str]:
        """The names of the columns that the INSERT sets."""
        return [*self._filled({name: bindparam(name) for name in self._sent})]

    def _check_expression(self, name: str, expression: Expression) -> None:
        """Raise a `ValueError` if SQLAlchemy can make no SQL of the expression of a column."""
        payload = cast(bindparam("payload", type_=Text), JSONB)
        try:
            # Before the worker starts. Among the failures of a write it would look like an outage.
            select(expression(payload)).compile(dialect=asyncpg.dialect())  # type: ignore[no-untyped-call]  # SQLAlchemy
        except Exception as error:  # the expression is the user's code
            raise ValueError(
                f"the expression for column {name} of table {self.table.name} makes no SQL:"
                f" {type(error).__name__}: {error}"
            ) from error

    def _once(self, statement: Insert) -> ReturningInsert[str]:
        """Return a statement that inserts only keys that are not stored, and returns these."""
        once = statement.on_conflict_do_nothing(index_elements=[self._key])
        return once.returning(self._key)

    def _of_batch(self, batch: BatchInfo) -> dict[str, object]:
        """Return the parameters that all rows have in common."""
        return {name: getattr(batch, name) for name in BATCH_VALUES if name in self.table.c}


RECORDS = Target(records)
