"""What a check finds."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How a check went."""

    OK = "ok"
    PROBLEM = "problem"
    SKIPPED = "skipped"
    """What it needs is a problem already."""


@dataclass(frozen=True)
class Check:
    """One check, in one line."""

    name: str
    outcome: Outcome
    detail: str
    """What was found; of a problem, also what to do."""


def ok(name: str, detail: str) -> Check:
    """Say that all is well."""
    return Check(name, Outcome.OK, detail)


def problem(name: str, detail: str) -> Check:
    """Say what is wrong, and what to do."""
    return Check(name, Outcome.PROBLEM, detail)


def skipped(name: str, needs: str) -> Check:
    """Say what has to be mended first."""
    return Check(name, Outcome.SKIPPED, f"needs {needs}")
