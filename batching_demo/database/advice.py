"""What the failures of Postgres mean to a person, and what that person does about them.

docs/operate.md has the same table; a test compares them. What is wrong with the URL of the database
is worded in `batching_demo/database/connection/`, which knows what the URL says.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass

from asyncpg import InterfaceError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError


@dataclass(frozen=True)
class Advice:
    """One failure: what it means, and what to do."""

    meaning: str
    action: str

    def text(self, words: str = "") -> str:
        """Return it as one line, with Postgres' own words if there are any."""
        return f"{self.meaning}{f' ({words})' if words else ''}: {self.action}"


BY_ITSELF = "nothing is lost, and workers try again by themselves"
UPGRADE = "run `batching-demo db upgrade`"
CHECK = "of a table of your own, run `batching-demo targets check`"
SERVER_LOG = "look into the log of the Postgres server"
WRONG_STATE = "55000"
"""Of an object, such as a published table without a replica identity. No waiting mends that. Before
the session has begun it is the state of the database, which may pass."""
BY_SQLSTATE: Mapping[str, Advice] = {
    "08": Advice("the connection to Postgres broke", BY_ITSELF),
    "08P01": Advice(
        "a pooler in front of Postgres refuses",
        "change what it names, in DATABASE_URL or in the pooler's configuration",
    ),
    "0A": Advice(
        "Postgres does not support what it is asked for, or the schema has just changed",
        f"try again; if that does not help, {SERVER_LOG}",
    ),
    "22P05": Advice(
        "the encoding of the database lacks a character", "use a database with the encoding UTF8"
    ),
    "25006": Advice(
        "the database is read-only",
        "it is a standby, or default_transaction_read_only is on for the role, the database or the"
        " server; `batching-demo doctor` names which",
    ),
    "25P03": Advice("Postgres has ended a session that was idle in a transaction", BY_ITSELF),
    "28": Advice(
        "Postgres refuses the login",
        "check user and sslmode in DATABASE_URL, and the server's pg_hba.conf",
    ),
    "28P01": Advice(
        "the user or the password in DATABASE_URL is wrong", "correct it, or create the role"
    ),
    "3D": Advice(
        "the database in DATABASE_URL does not exist",
        "create it, and run `batching-demo db upgrade`",
    ),
    "3F": Advice(
        "the schema on the search path does not exist", "create it, or change the search path"
    ),
    "40": Advice("other transactions were in the way", BY_ITSELF),
    "42": Advice(
        "the schema does not fit this version",
        f"{UPGRADE}; {CHECK}",
    ),
    "42501": Advice(
        "the database role lacks a privilege",
        "workers need what `batching-demo db roles` gives to the writer; `receipts prune` and"
        " `db adopt` are for the owner of the tables",
    ),
    "42703": Advice("the schema is older than this worker, or a trigger is wrong", UPGRADE),
    "42804": Advice("the type of a column is not that of its value", f"change it back; {CHECK}"),
    "42P01": Advice(
        "the schema is not migrated, the search path does not name it, or a trigger is wrong",
        UPGRADE,
    ),
    "42P10": Advice(
        "the key of the table has no unique constraint of its own", f"add one; {CHECK}"
    ),
    "53": Advice("the Postgres server lacks a resource", SERVER_LOG),
    "53100": Advice(
        "the disk of the Postgres server is full", "make room there; what waits is written then"
    ),
    "53200": Advice(
        "the Postgres server is out of memory", "lower its memory settings, or give it more"
    ),
    "53300": Advice(
        "Postgres takes no more connections",
        "close some, raise the limit of the server, the database or the role, or lower --pool-size",
    ),
    "55": Advice("something that Postgres needs is in use, or not ready", SERVER_LOG),
    WRONG_STATE: Advice(
        "something is not in the state that a statement needs",
        "a published table needs a replica identity to be changed, and the constraint of a key must"
        f" not be deferrable; otherwise {SERVER_LOG}; {CHECK}",
    ),
    "55P03": Advice(
        "a statement waited too long for a lock",
        "somebody holds one on the table, such as ALTER TABLE, VACUUM FULL or an open transaction:"
        " see pg_locks",
    ),
    "57": Advice("Postgres has ended the session", BY_ITSELF),
    "57014": Advice(
        "a statement was cancelled",
        "it took longer than statement_timeout, or somebody cancelled it: look for locks, slow"
        " triggers and slow disks",
    ),
    "57P01": Advice(
        "Postgres is shutting down, or somebody has ended the session", "start it, if it is down"
    ),
    "57P03": Advice("Postgres is starting up, shutting down or in recovery", BY_ITSELF),
    "58": Advice("the Postgres server cannot read or write a file", SERVER_LOG),
    "XX": Advice("Postgres has an internal error", SERVER_LOG),
}
"""By SQLSTATE, or by its first two characters for all others of that class."""

WHEN_MIGRATING: Mapping[str, Advice] = {
    "42501": Advice(
        "the database role may not change the schema",
        "grant CREATE on the schema to it, or migrate as the owner of the tables",
    ),
    "42P07": Advice(
        "something of the same name is in the way", "rename it, or choose another schema"
    ),
    "42710": Advice(
        "something of the same name is in the way", "rename it, or choose another schema"
    ),
    "42": Advice("the schema is not as batching-demo has made it", "undo what was changed by hand"),
    "55P03": Advice(
        "a change of the schema waited too long for a lock, and is undone",
        "try again once nobody reads or locks the table for long, as a backup does: see pg_locks",
    ),
}
"""What differs while `db upgrade` runs, by SQLSTATE."""

POLICY = Advice(
    "a row level security policy refuses the records",
    "change the policy, or give the role BYPASSRLS",
)
"""42501 also, of a role with all privileges."""
RULE = Advice("a table has a rule", "drop it, or make it a trigger: rules bar what workers send")
"""0A000 also."""
OUTAGE_ADVICE = "Postgres does not answer as it should: is it running, and is DATABASE_URL right?"
WITHOUT_SQLSTATE: Mapping[type[BaseException], Advice] = {
    PoolTimeoutError: Advice(
        "all connections of this process are in use", f"raise --pool-size; {BY_ITSELF}"
    ),
    InterfaceError: BY_SQLSTATE["08"],
    socket.gaierror: Advice(
        "the host in DATABASE_URL has no address", "check its spelling, and the name server"
    ),
}
"""Failures without an SQLSTATE, but for those in which nothing answers."""
UNKNOWN = Advice(
    "a trigger or function of the table fails, or Postgres has a failure without advice of its own",
    SERVER_LOG,
)

_POOLER = "08P01"
_OF_POOLERS = ("58", "XX")
"""Classes that some poolers choose for whatever they refuse."""
_OUTSIDE_STATEMENTS = ("08", "0A", "28", "53", "55", "57", "58", "XX")
"""Classes whose message holds nothing of a record, before the first statement or of a pooler."""
_OF_A_POLICY = "ExecWithCheckOptions"
_OF_A_RULE = "RewriteQuery"
_NAME_NO_VALUES = (_OF_A_RULE, "aclcheck_error")
"""Functions whose messages name a table, and hold nothing of a record."""


def advise(error: BaseException, sqlstate: str | None, *, migrating: bool = False) -> str:
    """Return what a failure means and what to do, in one line without anything of a record.

    Args:
        error: As SQLAlchemy, the driver or the socket raises it.
        sqlstate: Of the error, if it has one.
        migrating: Whether a migration failed. No record is under way in that.
    """
    cause = cause_of(error)
    if sqlstate is None:
        return _without_sqlstate(cause)
    function = getattr(cause, "server_source_function", None)
    if function == _OF_A_POLICY:
        return POLICY.text()
    if ends_session(error) and sqlstate == WRONG_STATE:
        sqlstate = WRONG_STATE[:2]
    advice = RULE if function == _OF_A_RULE else _find(sqlstate, function, migrating=migrating)
    if cause and (migrating or _may_be_quoted(error, sqlstate, function)):
        # The first argument is the message alone, and the text of the exception its detail too.
        return advice.text(" ".join(str(cause.args[0]).split()))
    return advice.text()


def ends_session(error: BaseException) -> bool:
    """Return whether Postgres has ended the session with a failure, or has not let it begin."""
    return getattr(cause_of(error), "severity_en", None) == "FATAL"


def cause_of(error: BaseException) -> BaseException | None:
    """Return the error of the driver or the socket; None for a stale plan, of which is none."""
    try:
        return error.driver_exception if isinstance(error, DBAPIError) else error
    except ValueError:
        return None


def _find(sqlstate: str, function: str | None, *, migrating: bool) -> Advice:
    exact = sqlstate
    # Only a pooler does not name the function that raised the error.
    if function is None and sqlstate[:2] in _OF_POOLERS:
        exact = _POOLER
    elif function and sqlstate == _POOLER:
        exact = sqlstate[:2]
    tables = [WHEN_MIGRATING, BY_SQLSTATE] if migrating else [BY_SQLSTATE]
    keys = (exact, sqlstate[:2])
    return next((table[key] for table in tables for key in keys if key in table), UNKNOWN)


def _may_be_quoted(error: BaseException, sqlstate: str, function: str | None) -> bool:
    """Return whether the message can hold nothing of a record.

    It cannot if no statement was sent yet, or if a pooler has refused, or if it names a table only.
    """
    if function in _NAME_NO_VALUES:
        return True
    before = isinstance(error, DBAPIError) and error.statement is None
    return (before or function is None) and sqlstate[:2] in _OUTSIDE_STATEMENTS


def _without_sqlstate(error: BaseException | None) -> str:
    for kind, advice in WITHOUT_SQLSTATE.items():
        if isinstance(error, kind):
            return advice.text()
    return OUTAGE_ADVICE
