"""The identity of a database: how the batcher service keeps it, and how others ask for it.

A Temporal namespace is for one database. The memo of one workflow of the batcher service says for
which.
"""

import re

_IDENTITY = re.compile(r" database ([0-9a-f-]{36})$")

DATABASE_WORKFLOW = "DatabaseWorkflow"
DATABASE_WORKFLOW_ID = "batching-database"
"""It runs for ever in each namespace that a batcher worker has polled."""
IDENTITY_MEMO = "identity"
"""Memo of that workflow with the identity of the namespace's database, a UUID as text."""
IDENTIFY_UPDATE = "identify"
"""Update of that workflow that has a batcher worker look at its database. It returns the identity,
and fails if the namespace is for another database."""
IDENTIFY_ACTIVITY = "identify_database"


def describe_mismatch(namespace: str, expected: str, found: str) -> str:
    """Return the line that says that a database is not the one of its namespace.

    Args:
        namespace: The Temporal namespace.
        expected: The identity of the namespace's database.
        found: The identity of the database that DATABASE_URL leads to.
    """
    return (
        f"namespace {namespace} is for database {expected}, and DATABASE_URL leads to database"
        f" {found}: set another TEMPORAL_NAMESPACE or DATABASE_URL, or, if this database takes the"
        " place of the other one, run `batching-demo db adopt`"
    )


def name_worker(name: str, identity: str) -> str:
    """Return a worker's name in Temporal, with the identity of its database."""
    return f"{name} database {identity}"


def identity_in(worker_name: str) -> str | None:
    """Return the identity that `name_worker` has put into a name; None if there is none."""
    found = _IDENTITY.search(worker_name)
    return found[1] if found else None
