"""What a retry did with each dead letter: as a line, as JSON, and in an exit code."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from batching_demo.cli.exit_codes import FAILED, NOT_ALL_STORED, REFUSED
from batching_demo.contracts.counts import count
from batching_demo.contracts.retries import RetryResult
from batching_demo.database.dead_letters.queries import StoredDeadLetter


@dataclass(frozen=True)
class RetriedLetter:
    """One dead letter after its retry; with neither result nor error it is stored already."""

    letter: StoredDeadLetter
    result: RetryResult | None = None
    refused: str = ""
    """Why it was not submitted."""
    failed: str = ""
    """Why it has no verdict."""

    @property
    def outcome(self) -> str:
        """A word for counts and for JSON: the verdict, or why there is none."""
        if self.result:
            return self.result.verdict.value
        if self.failed:
            return "failed"
        return "refused" if self.refused else "retried already"

    @property
    def error(self) -> str:
        """Why there is no verdict; empty if nothing went wrong."""
        return self.refused or self.failed

    @property
    def line(self) -> str:
        """The line that is printed of it."""
        name, result = f"dead letter {self.letter.id}", self.result
        if result is None:
            return self.error or f"{name}: is retried already, its record is stored"
        line = f"{name}: {result.verdict.value}"
        if not result.verdict.is_dead_letter:
            return line
        line += f": {result.detail or result.reason}"
        if result.sqlstate:
            line += f" (SQLSTATE {result.sqlstate})"
        if result.kept_as not in (None, self.letter.id):
            line += f"; the submitted record is dead letter {result.kept_as}"
        return f"{line}; dead letter {self.letter.id} stays {self.letter.status}"

    def as_json(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        result = self.result
        return {
            "id": self.letter.id,
            "outcome": self.outcome,
            "reason": result.reason if result else "",
            "detail": result.detail if result else self.error,
            "sqlstate": result.sqlstate if result else None,
            "batch_id": result.batch_id if result else None,
            "kept_as": result.kept_as if result else None,
        }


def retry_summary(retried: Sequence[RetriedLetter]) -> str:
    """Count dead letters by their outcome."""
    counts = Counter(one.outcome for one in retried)
    counted = ", ".join(f"{number} {outcome}" for outcome, number in counts.items())
    return f"{count(len(retried), 'dead letter')}: {counted}"


def retry_exit_code(retried: Sequence[RetriedLetter]) -> int:
    """Choose the exit code: failures first, then input that was refused, then missing records."""
    outcomes = {one.outcome for one in retried}
    if "failed" in outcomes:
        return FAILED
    if outcomes == {"refused"}:
        return REFUSED
    return NOT_ALL_STORED if outcomes & {"refused", "rejected", "conflict"} else 0
