"""The table of advice is that of the docs, and quotes nothing that may hold a record."""

import re
import socket

import pytest
from asyncpg import InterfaceError, PostgresError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from batching_demo.database.advice import (
    BY_SQLSTATE,
    OUTAGE_ADVICE,
    POLICY,
    RULE,
    UNKNOWN,
    WHEN_MIGRATING,
    WITHOUT_SQLSTATE,
    Advice,
    advise,
)
from tests.support.root import ROOT

OPERATE = ROOT / "docs" / "operate.md"
SAID = "unsupported startup parameter: statement_timeout"
NAMES: dict[type[BaseException], str] = {
    PoolTimeoutError: "none, pool",
    InterfaceError: "none, driver",
    socket.gaierror: "none, name",
}


def rows() -> list[str]:
    """Return the rows of the docs' tables, as the code has them."""
    tables: list[tuple[str, Advice]] = [
        *BY_SQLSTATE.items(),
        ("42501, policy", POLICY),
        ("0A000, rule", RULE),
        ("any other", UNKNOWN),
        *((f"{code}, `db upgrade`", advice) for code, advice in WHEN_MIGRATING.items()),
        *((NAMES[kind], advice) for kind, advice in WITHOUT_SQLSTATE.items()),
    ]
    meaning, action = OUTAGE_ADVICE.split(": ")
    tables.append(("none, no answer", Advice(meaning, action)))
    return [f"| {code} | {advice.meaning} | {advice.action} |" for code, advice in tables]


def test_the_docs_have_the_same_table() -> None:
    text = OPERATE.read_text()
    section = text[text.index("## What Postgres answers") :]
    section = section[: section.index("\n## ", 1)]
    documented = re.findall(r"^\| (?!SQLSTATE|---).*\|$", section, re.MULTILINE)
    assert sorted(documented) == sorted(rows())


def test_nothing_that_answered_is_asked_whether_it_runs() -> None:
    assert not [row for row in rows() if "is it running" in row and "none, no answer" not in row]


def raised(sqlstate: str, function: str | None, statement: str | None) -> DBAPIError:
    fields = {
        "C": sqlstate,
        "M": f"{SAID}\n",
        "D": "of a record",
        **({"R": function} if function else {}),
    }
    return DBAPIError(statement, None, PostgresError.new(fields))


@pytest.mark.parametrize(
    ("sqlstate", "function", "statement", "quoted"),
    [
        ("08P01", None, None, True),
        ("08P01", None, "INSERT", True),
        ("53300", "InitProcess", None, True),
        ("53300", "exec_stmt_raise", "INSERT", False),
        ("42501", "aclcheck_error", "INSERT", True),
        ("42501", "ExecWithCheckOptions", "INSERT", False),
        ("42501", "exec_stmt_raise", "INSERT", False),
        ("XX000", None, None, True),
        ("45035", None, None, False),
        ("23505", None, None, False),
    ],
)
def test_only_what_holds_no_record_is_quoted(
    sqlstate: str, function: str | None, statement: str | None, quoted: bool
) -> None:
    line = advise(raised(sqlstate, function, statement), sqlstate)
    assert (SAID in line) is quoted
    assert "of a record" not in line


@pytest.mark.parametrize("sqlstate", ["08P01", "XX000", "58000"])
def test_who_names_no_function_is_a_pooler(sqlstate: str) -> None:
    own = advise(raised(sqlstate, "ProcessStartupPacket", None), sqlstate)
    assert "pooler" not in own
    assert advise(raised(sqlstate, None, None), sqlstate) == BY_SQLSTATE["08P01"].text(SAID)


def test_a_migration_quotes_everything() -> None:
    error = raised("42P07", "heap_create", "CREATE TABLE")
    expected = WHEN_MIGRATING["42P07"].text(SAID)
    assert advise(error, "42P07", migrating=True) == expected
    assert advise(raised("53100", "mdextend", "CREATE"), "53100", migrating=True) == (
        BY_SQLSTATE["53100"].text(SAID)
    )


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ConnectionRefusedError(), OUTAGE_ADVICE),
        (TimeoutError(), OUTAGE_ADVICE),
        (DBAPIError(None, None, InterfaceError("closed")), BY_SQLSTATE["08"].text()),
        (socket.gaierror(), WITHOUT_SQLSTATE[socket.gaierror].text()),
    ],
)
def test_without_a_sqlstate_the_exception_says_it(error: Exception, line: str) -> None:
    assert advise(error, None) == line
