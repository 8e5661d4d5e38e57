"""Report how an activity failed in one line: who has to act, and nothing of any record."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.service import RPCError

from batching_demo.batcher_service.written import PartlyWrittenError
from batching_demo.database.errors import DatabaseFailedError, FailureKind

LONGEST_DELAY_SECONDS = 30
logger = logging.getLogger(__name__)


@contextmanager
def database_failures_reported(*, logged: bool = False) -> Iterator[None]:
    """Raise a failure with its kind, advice and SQLSTATE.

    Args:
        logged: Whether it is in the log already, as of a batch that several calls wait for.
    """
    try:
        yield
    except DatabaseFailedError as error:
        failure = error.failure
        if not logged:
            log_failure(error)
        decided = [asdict(error.decided)] if isinstance(error, PartlyWrittenError) else []
        kind = "Operator" if failure.kind is FailureKind.OPERATOR else "Outage"
        # Benign, so that the SDK adds no traceback to the line above.
        raise ApplicationError(
            failure.reason,
            failure.sqlstate,
            *decided,
            type=kind,
            category=ApplicationErrorCategory.BENIGN,
            next_retry_delay=_delay(activity.info().attempt),
        ) from None
    except RPCError as error:
        reason = f"Temporal does not answer as it should: {error.message} ({error.status.name})"
        logger.warning("%s; the batch is written again", reason)
        raise ApplicationError(
            reason, type="Outage", category=ApplicationErrorCategory.BENIGN
        ) from None


def _delay(attempt: int) -> timedelta:
    """Return how long the database is left alone before the next attempt.

    The policy of the caller is for lost workers too, after which an attempt need not wait so long.
    """
    return timedelta(seconds=min(LONGEST_DELAY_SECONDS, 2 ** min(attempt - 1, 16)))


def log_failure(error: DatabaseFailedError) -> None:
    """Log a failure in one line."""
    failure = error.failure
    logger.warning("database failed (SQLSTATE %s): %s", failure.sqlstate, failure.reason)


@contextmanager
def lost_activity_reported() -> Iterator[None]:
    """Log in one line that the server has given up the activity, and end it.

    The SDK would log the cancellation with its traceback. One that was asked for passes through.
    """
    try:
        yield
    except asyncio.CancelledError:
        details = activity.cancellation_details()
        if details is None or not (details.not_found or details.timed_out):
            raise
        ended = "its workflow has ended, or no longer waits for it"
        reason = "it timed out" if details.timed_out else ended
        logger.warning("%s given up by the server: %s", activity.info().activity_type, reason)
        raise ApplicationError(reason, category=ApplicationErrorCategory.BENIGN) from None
