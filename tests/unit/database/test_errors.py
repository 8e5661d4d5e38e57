"""Who has to act on a failed statement, by SQLSTATE; and what is not told of it."""

import pytest
from asyncpg import ConnectionDoesNotExistError, InterfaceError, PostgresError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from batching_demo.database.errors import DatabaseFailedError, database_errors

SECRET = "hunter2"
A_RECORD, A_PERSON, NOBODY = "poison", "operator", "outage"

WHO_ACTS = {
    A_RECORD: [
        ("22P02", "invalid text representation"),
        ("22P05", "a character that the encoding lacks"),
        ("22003", "a number out of range"),
        ("23502", "not null"),
        ("23505", "unique"),
        ("23514", "check"),
        ("54000", "too large for an index"),
        ("54001", "too deep"),
        ("P0001", "raised by a trigger"),
    ],
    A_PERSON: [
        ("42P01", "no table"),
        ("42703", "no column"),
        ("42501", "no privilege"),
        ("42601", "any other of its class"),
        ("28P01", "a wrong password"),
        ("28000", "no login"),
        ("28XXX", "any other of its class"),
        ("3D000", "no database"),
        ("3F000", "no schema"),
        ("P0002", "raised otherwise"),
        ("45035", "raised by a trigger of the house"),
        ("55000", "a view in the place of a table, or no replica identity"),
        ("QQ123", "unheard of"),
    ],
    NOBODY: [
        ("08006", "a lost connection"),
        ("08P01", "a broken protocol"),
        ("25006", "a read-only standby"),
        ("40001", "a serialization failure"),
        ("40P01", "a deadlock"),
        ("53100", "a full disk"),
        ("53300", "too many connections"),
        ("55P03", "a lock that was not to be had"),
        ("57014", "a cancelled statement"),
        ("57P01", "a server that shuts down"),
        ("58030", "an I/O error"),
        ("XX000", "an internal error"),
        ("XX001", "a corrupted page"),
        ("25P02", "a transaction that has failed"),
    ],
}
CASES = [(state, who) for who, states in WHO_ACTS.items() for state, _ in states]


def failure_of(error: Exception) -> DatabaseFailedError:
    with pytest.raises(DatabaseFailedError) as failed, database_errors():
        raise error
    assert failed.value.__suppress_context__
    return failed.value


@pytest.mark.parametrize(("sqlstate", "who"), CASES, ids=[state for state, _ in CASES])
def test_the_sqlstate_says_who_has_to_act(sqlstate: str, who: str) -> None:
    said = {"M": f"it was {SECRET}", "D": SECRET, "R": "exec_stmt_raise"}
    error = PostgresError.new({"C": sqlstate, **said})
    failed = failure_of(error)
    assert failed.failure.kind == who
    assert failed.failure.sqlstate == sqlstate
    assert failed.is_outage is (who == NOBODY)
    assert SECRET not in str(failed) + repr(failed.failure)


def test_a_database_that_lets_no_session_begin_is_an_outage() -> None:
    said = {"C": "55000", "V": "FATAL", "R": "CheckMyDatabase"}
    failed = failure_of(PostgresError.new({**said, "M": "not currently accepting connections"}))
    assert failed.is_outage
    assert "replica identity" not in str(failed)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(111, "refused"),
        TimeoutError(),
        OSError("no route"),
        InterfaceError("connection is closed"),
        PoolTimeoutError("QueuePool limit reached"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_without_a_sqlstate_the_database_was_away(error: Exception) -> None:
    failed = failure_of(error)
    assert (failed.failure.kind, failed.failure.sqlstate) == (NOBODY, None)


def test_a_connection_that_asyncpg_lost_is_an_outage() -> None:
    assert failure_of(ConnectionDoesNotExistError("closed in the middle")).is_outage


@pytest.mark.parametrize(
    ("sqlstate", "advice"),
    [
        ("42P01", "batching-demo db upgrade"),
        ("42703", "batching-demo db upgrade"),
        ("42601", "batching-demo db upgrade"),
        ("3F000", "search path"),
        ("45035", "a trigger or function of the table fails"),
    ],
)
def test_the_message_says_what_to_do(sqlstate: str, advice: str) -> None:
    assert advice in str(failure_of(PostgresError.new({"C": sqlstate, "M": ""})))


@pytest.mark.parametrize(
    ("sqlstate", "refusal"),
    [("42501", "InsufficientPrivilege"), ("P0004", "Assert"), ("45035", "SQLSTATE 45035")],
)
def test_a_record_that_is_to_blame_is_told_no_advice(sqlstate: str, refusal: str) -> None:
    failed = failure_of(PostgresError.new({"C": sqlstate, "M": SECRET}))
    assert failed.failure.refusal == f"refused by Postgres: {refusal}"


def test_a_refused_record_is_told_by_the_name_of_the_condition() -> None:
    failed = failure_of(PostgresError.new({"C": "23514", "M": f"row {SECRET}"}))
    assert str(failed) == "refused by Postgres: CheckViolation"


def test_any_other_error_is_left_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError), database_errors():
        raise ZeroDivisionError
