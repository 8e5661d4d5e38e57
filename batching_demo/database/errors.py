"""Who has to act on a failed statement, by its SQLSTATE."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum

from asyncpg import InterfaceError, PostgresError, PostgresLogMessage, UnknownPostgresError
from sqlalchemy.exc import SQLAlchemyError

from batching_demo.contracts.errors import UserError
from batching_demo.database.advice import WRONG_STATE, advise, cause_of, ends_session


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
def database_errors(*, migrating: bool = False) -> Iterator[None]:
    """Turn whatever the drivers raise, parameters and all, into a `DatabaseFailedError`."""
    try:
        yield
    except (SQLAlchemyError, PostgresError, InterfaceError, OSError) as error:
        raise DatabaseFailedError(classify(error, migrating=migrating)) from None


_POISON_CLASSES = ("22", "23", "54")
_RAISED_BY_A_TRIGGER = "P0001"
_STALE_PLAN = "0A000"
# Connections, transactions, conflicts with other sessions, resources, locks, the shutdown, files,
# internal errors.
_SERVER_CLASSES = ("08", "25", "40", "53", "55", "57", "58", "F0", "XX")


def sqlstate_of(error: BaseException) -> str | None:
    """Return the SQLSTATE, if there is one.

    SQLAlchemy wraps most asyncpg errors in a plain DBAPIError.
    """
    cause = cause_of(error)
    sqlstate = _STALE_PLAN if cause is None else getattr(cause, "sqlstate", None)
    return sqlstate if isinstance(sqlstate, str) else None


def classify(error: BaseException, *, migrating: bool = False) -> Failure:
    """Return who has to act, by the SQLSTATE alone; whatever has none is an outage."""
    sqlstate = sqlstate_of(error)
    group = (sqlstate or "")[:2]
    condition = _condition(error) if sqlstate else ""
    if not migrating and (group in _POISON_CLASSES or sqlstate == _RAISED_BY_A_TRIGGER):
        failure = Failure(FailureKind.POISON, "", sqlstate, condition)
        return replace(failure, reason=failure.refusal)
    is_objects = sqlstate == WRONG_STATE and not ends_session(error)
    is_servers = sqlstate is None or (group in _SERVER_CLASSES and not is_objects)
    kind = FailureKind.OUTAGE if is_servers else FailureKind.OPERATOR
    return Failure(kind, advise(error, sqlstate, migrating=migrating), sqlstate, condition)


def _condition(error: BaseException) -> str:
    """Return the name of the condition; empty if it has none.

    The message itself may quote the record.
    """
    cause = cause_of(error)
    if cause is None or isinstance(cause, UnknownPostgresError | RaisedAsWarningError):
        return ""
    return type(cause).__name__.removesuffix("Error")
