"""What an error of Temporal's client comes from, below all that the SDK has wrapped around it."""

from temporalio.exceptions import ApplicationError


def innermost(error: BaseException) -> BaseException:
    """Return the innermost cause of an error; the error itself if it has none."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def innermost_message(error: BaseException) -> str:
    """Return the message of the innermost cause, for people."""
    cause = innermost(error)
    return cause.message if isinstance(cause, ApplicationError) else str(cause)
