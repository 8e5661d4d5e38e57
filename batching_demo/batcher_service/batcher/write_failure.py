"""How a write has failed, as the write activity says it."""

from typing import NamedTuple

from pydantic import TypeAdapter
from temporalio.exceptions import ActivityError, ApplicationError

from batching_demo.contracts.batches import Decided

_decided = TypeAdapter(Decided)


class WriteFailure(NamedTuple):
    """How a write has failed."""

    message: str
    sqlstate: str | None
    """None if Postgres named none."""
    decided: Decided
    """What is written and answered all the same."""


def read_failure(error: ActivityError) -> WriteFailure:
    """Return how the activity of a write has failed."""
    cause = error.cause
    if not isinstance(cause, ApplicationError):
        return WriteFailure(str(cause), None, Decided())
    sqlstate, decided, *_ = (*cause.details, None, None)
    return WriteFailure(cause.message, sqlstate, _decided.validate_python(decided or {}))
