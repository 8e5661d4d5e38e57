"""Who has to act on a failed statement, by its SQLSTATE."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from asyncpg import InterfaceError, PostgresError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from batching_demo.contracts.errors import UserError
from batching_demo.database.advice import advise


class FailureKind(StrEnum):
    """Who has to act on a failed statement."""

    POISON = "poison"
    """A record: isolate it."""
    OPERATOR = "operator"
    """A person: nothing is wrong with the records; keep trying."""
    OUTAGE = "outage"
    """Nobody: try again later."""


@dataclass(frozen=True)
class Failure:
    """A failed statement, with nothing of its parameters."""

    kind: FailureKind
    reason: str
    sqlstate: str | None = None


class DatabaseFailedError(UserError):
    """Postgres did not do what was asked; the message carries none of what was to be stored."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure
        self.is_outage = failure.kind is FailureKind.OUTAGE


@contextmanager
def database_errors(*, migrating: bool = False) -> Iterator[None]:
    """Turn whatever the drivers raise, parameters and all, into a `DatabaseFailedError`."""
    try:
        yield
    except (SQLAlchemyError, PostgresError, InterfaceError, OSError) as error:
        raise DatabaseFailedError(classify(error, migrating=migrating)) from None


_POISON_CLASSES = ("22", "23", "54")
_RAISED_BY_A_TRIGGER = "P0001"
_OPERATOR_CLASSES = ("28", "3D", "3F", "42")


def sqlstate_of(error: BaseException) -> str | None:
    """Return the SQLSTATE, if there is one.

    SQLAlchemy wraps most asyncpg errors in a plain DBAPIError.
    """
    cause = error.driver_exception if isinstance(error, DBAPIError) else error
    sqlstate = getattr(cause, "sqlstate", None)
    return sqlstate if isinstance(sqlstate, str) else None


def classify(error: BaseException, *, migrating: bool = False) -> Failure:
    """Return who has to act; whatever has no SQLSTATE is an outage."""
    sqlstate = sqlstate_of(error)
    group = (sqlstate or "")[:2]
    if not migrating and (group in _POISON_CLASSES or sqlstate == _RAISED_BY_A_TRIGGER):
        return Failure(FailureKind.POISON, f"refused by Postgres: {_condition(error)}", sqlstate)
    kind = FailureKind.OPERATOR if group in _OPERATOR_CLASSES else FailureKind.OUTAGE
    return Failure(kind, advise(error, sqlstate, migrating=migrating), sqlstate)


def _condition(error: BaseException) -> str:
    """Return the name of the condition; the message itself may quote the record."""
    cause = error.driver_exception if isinstance(error, DBAPIError) else error
    return type(cause).__name__.removesuffix("Error")
