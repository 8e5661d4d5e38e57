"""What came of the letters that a retry was asked for, in words, JSON and an exit code."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from batching_demo.cli.exit_codes import FAILED, NOT_ALL_STORED, REFUSED
from batching_demo.contracts.retries import RetryResult
from batching_demo.database.dead_letter_queries import StoredDeadLetter


@dataclass(frozen=True)
class RetriedLetter:
    """What came of one letter."""

    letter: StoredDeadLetter
    result: RetryResult | None = None
    refused: str = ""
    """Why it was not submitted."""
    failed: str = ""
    """Why it has no verdict."""

    @property
    def word(self) -> str:
        """Name it, for counts and for JSON."""
        if self.result:
            return self.result.verdict.value
        if self.failed:
            return "failed"
        return "refused" if self.refused else "retried already"

    @property
    def error(self) -> str:
        """Say why there is no verdict, if there is none."""
        return self.refused or self.failed

    @property
    def line(self) -> str:
        """Say it in one line."""
        letter, result = self.letter, self.result
        if result is None:
            return self.error or f"letter {letter.id}: is retried already, its record is stored"
        said = f"letter {letter.id}: {result.verdict.value}"
        if result.verdict.is_stored:
            return said
        said += f": {result.detail or result.reason}"
        if result.sqlstate:
            said += f" (SQLSTATE {result.sqlstate})"
        if result.kept_as not in (None, letter.id):
            said += f"; what was submitted is letter {result.kept_as}"
        return f"{said}; letter {letter.id} stays {letter.status}"

    def as_json(self) -> dict[str, Any]:
        """Say all of it."""
        result = self.result
        return {
            "id": self.letter.id,
            "outcome": self.word,
            "reason": result.reason if result else "",
            "detail": result.detail if result else self.error,
            "sqlstate": result.sqlstate if result else None,
            "batch_id": result.batch_id if result else None,
            "kept_as": result.kept_as if result else None,
        }


def summary(outcomes: Sequence[RetriedLetter]) -> str:
    """Count letters by what came of them."""
    counts = Counter(outcome.word for outcome in outcomes)
    counted = ", ".join(f"{number} {word}" for word, number in counts.items())
    return f"{len(outcomes)} letters: {counted}"


def exit_code(outcomes: Sequence[RetriedLetter]) -> int:
    """Tell failures from input that was refused, and from records that are still not stored."""
    words = {outcome.word for outcome in outcomes}
    if "failed" in words:
        return FAILED
    if words == {"refused"}:
        return REFUSED
    return NOT_ALL_STORED if words & {"refused", "rejected", "conflict"} else 0
