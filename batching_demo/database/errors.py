"""Who has to act on a failed statement, by its SQLSTATE."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum

from asyncpg import InterfaceError, PostgresError, PostgresLogMessage, UnknownPostgresError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from batching_demo.contracts.errors import UserError


class FailureKind(StrEnum):
    """Who has to act on a failed statement."""

    POISON = "poison"
    """Whoever made the record: it is at fault, whatever becomes of others."""
    OPERATOR = "operator"
    """A person, unless other records pass. If they do, the record is at fault."""
    OUTAGE = "outage"
    """Nobody: try again later."""


@dataclass(frozen=True)
class Failure:
    """A failed statement, with nothing of its parameters."""

    kind: FailureKind
    reason: str
    """What failed, and what to do about it."""
    sqlstate: str | None = None
    condition: str = ""
    """The name of the SQLSTATE."""

    @property
    def refusal(self) -> str:
        """What failed, if it is a record that is at fault."""
        return f"refused by Postgres: {self.condition or f'SQLSTATE {self.sqlstate}'}"


class DatabaseFailedError(UserError):
    """Postgres did not do what was asked; the message carries none of what was to be stored."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure
        self.is_outage = failure.kind is FailureKind.OUTAGE


class RaisedAsWarningError(SQLAlchemyError):
    """Postgres refused something with the SQLSTATE of a warning, as a trigger may."""

    def __init__(self, warning: PostgresLogMessage) -> None:
        super().__init__("an error with the SQLSTATE of a warning")
        self.sqlstate = warning.sqlstate


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn whatever the drivers raise, parameters and all, into a `DatabaseFailedError`."""
    try:
        yield
    except (SQLAlchemyError, PostgresError, InterfaceError, OSError) as error:
        raise DatabaseFailedError(classify(error)) from None


_POISON_CLASSES = ("22", "23", "54")
_RAISED_BY_A_TRIGGER = "P0001"
# Connections, transactions, conflicts with other sessions, resources, locks, the shutdown, files,
# internal errors.
_SERVER_CLASSES = ("08", "25", "40", "53", "55", "57", "58", "F0", "XX")
_OPERATOR_ADVICE = {
    "42P01": "the schema is not migrated: run `batching-demo db upgrade`",
    "42703": "the schema is older than this worker: run `batching-demo db upgrade`",
    "42P10": "the key of the table has no unique constraint of its own: add one",
    "42804": "the type of a column is not that of its value: change it, or cast in the target",
    "42501": "the database role lacks a privilege: grant INSERT and SELECT on the tables",
    "28P01": "the password in DATABASE_URL is wrong",
    "28000": "the role in DATABASE_URL may not log in",
    "3D000": "the database in DATABASE_URL does not exist: create it, and migrate it",
}
_OPERATOR_CLASSES = {
    "42": "the schema or the role's privileges do not fit: run `batching-demo db upgrade`",
    "28": "Postgres refuses the login: check DATABASE_URL",
    "3D": "the database in DATABASE_URL does not exist",
    "3F": "the schema on the search path does not exist",
}
_RAISED_FOR_EVERY_RECORD = (
    "Postgres refuses every record with this SQLSTATE: look for a trigger or a function of the"
    " table that raises it"
)
OUTAGE_ADVICE = "Postgres does not answer as it should: is it running, and is DATABASE_URL right?"


def sqlstate_of(error: BaseException) -> str | None:
    """Return the SQLSTATE, if there is one.

    SQLAlchemy wraps most asyncpg errors in a plain DBAPIError.
    """
    sqlstate = getattr(_drivers(error), "sqlstate", None)
    return sqlstate if isinstance(sqlstate, str) else None


def _drivers(error: BaseException) -> BaseException | None:
    """Return the error of the driver, if there is one; otherwise SQLAlchemy's own."""
    try:
        return error.driver_exception if isinstance(error, DBAPIError) else error
    except ValueError:
        # SQLAlchemy makes one itself for a stale plan, which the next attempt plans anew.
        return None


def classify(error: BaseException) -> Failure:
    """Return who has to act, by the SQLSTATE alone; whatever has none is an outage."""
    sqlstate = sqlstate_of(error)
    if sqlstate is None:
        return Failure(FailureKind.OUTAGE, OUTAGE_ADVICE)
    condition = _condition(error)
    if sqlstate[:2] in _SERVER_CLASSES:
        return Failure(FailureKind.OUTAGE, OUTAGE_ADVICE, sqlstate, condition)
    if sqlstate[:2] in _POISON_CLASSES or sqlstate == _RAISED_BY_A_TRIGGER:
        failure = Failure(FailureKind.POISON, "", sqlstate, condition)
        return replace(failure, reason=failure.refusal)
    advice = _OPERATOR_ADVICE.get(sqlstate) or _OPERATOR_CLASSES.get(sqlstate[:2])
    return Failure(FailureKind.OPERATOR, advice or _RAISED_FOR_EVERY_RECORD, sqlstate, condition)


def _condition(error: BaseException) -> str:
    """Return the name of the condition; empty if it has none.

    The message itself may quote the record.
    """
    cause = _drivers(error)
    if isinstance(cause, UnknownPostgresError | RaisedAsWarningError):
        return ""
    return type(cause).__name__.removesuffix("Error")
