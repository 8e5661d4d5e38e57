"""Medians and their spread."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from batching_demo.comparison.report.numbers import short


@dataclass(frozen=True)
class Spread:
    """The median, the lowest and the highest of some values."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Summarise at least one value."""
        return cls(median(values), min(values), max(values))

    def __str__(self) -> str:
        if self.low == self.high:
            return short(self.median)
        return f"{short(self.median)} ({short(self.low)} to {short(self.high)})"


def ratios(values: Sequence[float], others: Sequence[float]) -> Spread:
    """Return the ratios of values from the same rounds."""
    return Spread.of([value / other for value, other in zip(values, others, strict=True)])
