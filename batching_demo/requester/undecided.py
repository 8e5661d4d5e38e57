"""Name the records of a write that ends before they have a verdict, or only count them."""

from collections.abc import Iterable, Sequence

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from batching_demo.contracts.counts import count, first_of
from batching_demo.contracts.encoding import decode_records
from batching_demo.contracts.messages import Submission

NAMED = 20
"""Records that a text names, at most."""
SHOWN_CHARACTERS = 100
"""Characters of a key that a text shows, at most."""
HIDES_RECORDS = "batching_demo_hides_records"
"""External function of the workflows of a worker whose client has a payload codec. Whoever encodes
what Temporal gets does not want keys of records in logs and messages either."""


def describe_undecided(submissions: Sequence[Submission]) -> str:
    """Return a text that names the records by key, or by line if they have none.

    They may be stored or not: only their verdict is missing. With a payload codec it counts them.
    """
    if not submissions:
        return "every record has its verdict"
    number = count(sum(submission.header.records for submission in submissions), "record")
    undecided = f"no verdict yet for {number}, which may be stored or not"
    if HIDES_RECORDS in workflow.extern_functions():
        return undecided
    return f"{undecided}: {first_of(_names(submissions), NAMED)}"


def _names(submissions: Iterable[Submission]) -> list[str]:
    names: list[str] = []
    for submission in submissions:
        columns = decode_records(submission.records)
        names += [
            repr(key[:SHOWN_CHARACTERS]) if key else f"line {line}"
            for key, line in zip(columns.keys, columns.lines, strict=True)
        ]
    return names


def show_cancelled(submissions: Sequence[Submission]) -> None:
    """Show in current details and log which records a cancelled write leaves undecided."""
    undecided = f"cancelled: {describe_undecided(submissions)}"
    workflow.set_current_details(undecided)
    workflow.logger.warning(undecided)


def deadline_passed(submissions: Sequence[Submission]) -> ApplicationError:
    """Return the error of a write whose deadline has passed. It describes the undecided records."""
    undecided = describe_undecided(submissions)
    return ApplicationError(f"deadline passed: {undecided}", type="Deadline", non_retryable=True)
