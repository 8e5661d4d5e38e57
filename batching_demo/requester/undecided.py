"""Name the records that have no verdict yet."""

from collections.abc import Iterable

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from batching_demo.contracts.encoding import decode_records
from batching_demo.contracts.messages import Submission

NAMED = 20
SHOWN_CHARACTERS = 100


def describe_undecided(submissions: Iterable[Submission]) -> str:
    """Name records by key, or by line where they have none.

    They may be stored all the same: only their verdict is missing.
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
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return (
        f"no verdict yet for {len(names)} records, which may be stored or not:"
        f" {', '.join(names[:NAMED])}{more}"
    )


def show_cancelled(submissions: Iterable[Submission]) -> None:
    """Show in the Web UI and in the log which records are undecided, for a write is cancelled."""
    undecided = f"cancelled: {describe_undecided(submissions)}"
    workflow.set_current_details(undecided)
    workflow.logger.warning(undecided)


def deadline_passed(submissions: Iterable[Submission]) -> ApplicationError:
    """Return the error of a write whose deadline passed, with the records that are undecided."""
    undecided = describe_undecided(submissions)
    return ApplicationError(f"deadline passed: {undecided}", type="Deadline", non_retryable=True)
