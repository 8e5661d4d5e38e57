"""Name the records of a write that ends before they have a verdict."""

from collections.abc import Iterable

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from batching_demo.contracts.counts import count, first_of
from batching_demo.contracts.encoding import decode_records
from batching_demo.contracts.messages import Submission

NAMED = 20
"""Records that a text names, at most."""
SHOWN_CHARACTERS = 100
"""Characters of a key that a text shows, at most."""


def describe_undecided(submissions: Iterable[Submission]) -> str:
    """Return a text that names the records by key, or by line if they have none.

    They may be stored or not: only their verdict is missing.
    """
    names: list[str] = []
    for submission in submissions:
        columns = decode_records(submission.records)
        names += [
            repr(key[:SHOWN_CHARACTERS]) if key else f"line {line}"
            for key, line in zip(columns.keys, columns.lines, strict=True)
        ]
    if not names:
        return "every record has its verdict"
    number = count(len(names), "record")
    return f"no verdict yet for {number}, which may be stored or not: {first_of(names, NAMED)}"


def show_cancelled(submissions: Iterable[Submission]) -> None:
    """Show in current details and log which records a cancelled write leaves undecided."""
    undecided = f"cancelled: {describe_undecided(submissions)}"
    workflow.set_current_details(undecided)
    workflow.logger.warning(undecided)


def deadline_passed(submissions: Iterable[Submission]) -> ApplicationError:
    """Return the error of a write whose deadline has passed. It names the undecided records."""
    undecided = describe_undecided(submissions)
    return ApplicationError(f"deadline passed: {undecided}", type="Deadline", non_retryable=True)
