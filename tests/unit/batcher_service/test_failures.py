"""How long an activity that met a failing database waits for its next attempt."""

from dataclasses import replace
from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from batching_demo.batcher_service.failures import database_failures_reported
from batching_demo.database.errors import DatabaseFailedError, Failure, FailureKind


def fail() -> None:
    with database_failures_reported():
        raise DatabaseFailedError(Failure(FailureKind.OUTAGE, "away"))


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 1), (2, 2), (5, 16), (6, 30), (10_000, 30)])
def test_each_attempt_leaves_the_database_alone_for_longer(attempt: int, seconds: int) -> None:
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, attempt=attempt)
    with pytest.raises(ApplicationError) as failed:
        environment.run(fail)
    assert failed.value.next_retry_delay == timedelta(seconds=seconds)
