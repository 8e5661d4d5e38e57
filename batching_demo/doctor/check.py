"""One check, and how it went."""

from dataclasses import dataclass
from enum import StrEnum


class CheckOutcome(StrEnum):
    """How a check went."""

    OK = "ok"
    NOTE = "note"
    """Something is not there that not everybody needs, or is there that nobody needs."""
    PROBLEM = "problem"
    SKIPPED = "skipped"
    """Not tried, because something that it needs is a problem."""

    @property
    def is_well(self) -> bool:
        """Whether there is nothing to do."""
        return self in (CheckOutcome.OK, CheckOutcome.NOTE)


@dataclass(frozen=True)
class Check:
    """One check, in one line."""

    name: str
    outcome: CheckOutcome
    detail: str
    """What was found; of a problem, also what to do."""


def ok(name: str, detail: str) -> Check:
    """Return a check that found everything well."""
    return Check(name, CheckOutcome.OK, detail)


def note(name: str, detail: str) -> Check:
    """Return a check that found something missing or needless; the detail says who needs it."""
    return Check(name, CheckOutcome.NOTE, detail)


def problem(name: str, detail: str) -> Check:
    """Return a check that found a problem; the detail also names what to do."""
    return Check(name, CheckOutcome.PROBLEM, detail)


def skipped(name: str, needs: str) -> Check:
    """Return a check that was not tried."""
    return Check(name, CheckOutcome.SKIPPED, f"needs {needs}")
