"""Report a failed database to the workflow: who has to act, and nothing of any record."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from batching_demo.database.errors import DatabaseFailedError, FailureKind

logger = logging.getLogger(__name__)


@contextmanager
def database_failures_reported() -> Iterator[None]:
    """Log a failure in one line, and raise it with its kind, advice and SQLSTATE."""
    try:
        yield
    except DatabaseFailedError as error:
        failure = error.failure
        logger.warning("database failed (SQLSTATE %s): %s", failure.sqlstate, failure.reason)
        kind = "Operator" if failure.kind is FailureKind.OPERATOR else "Outage"
        # Benign, so that the SDK adds no traceback to the line above.
        raise ApplicationError(
            failure.reason,
            failure.sqlstate,
            type=kind,
            category=ApplicationErrorCategory.BENIGN,
        ) from None
