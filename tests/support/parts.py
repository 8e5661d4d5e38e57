"""The parts of the test suite: their order, and what became of each."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import pytest

FAST_FIRST = ("unit", "replay", "workflow", "integration", "faults", "end_to_end")
RESULTS = {"passed": "passed", "failed": "failed", "error": "failed", "skipped": "skipped"}
"""What pytest calls the end of a test, and what the last line counts it as."""


def part_of(nodeid: str) -> str:
    """Return the folder under tests/ that a test is in."""
    _, _, inside = nodeid.partition("tests/")
    return inside.partition("/")[0]


def in_order(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Sort tests so that those of fast parts come first, otherwise as they were."""
    order = {part: position for position, part in enumerate(FAST_FIRST)}
    return sorted(items, key=lambda item: order.get(part_of(item.nodeid), len(order)))


def count(reports: dict[str, list[Any]]) -> str:
    """Count tests by their result: the line that ends every run."""
    counted = Counter[str](passed=0, failed=0)
    for outcome, result in RESULTS.items():
        if found := len(reports.get(outcome, ())):
            counted[result] += found
    return ", ".join(f"{number} {result}" for result, number in counted.items())


def lines(reports: dict[str, list[Any]]) -> Iterator[str]:
    """Describe each part: what became of its tests, and how long it took."""
    flat = [
        (part_of(one.nodeid), outcome, one)
        for outcome in reports
        for one in reports[outcome]
        if hasattr(one, "start")
    ]
    for part, group in groupby(sorted(flat, key=lambda each: each[0]), key=lambda each: each[0]):
        found = list(group)
        by_outcome: dict[str, list[Any]] = {}
        for _, outcome, report in found:
            by_outcome.setdefault(outcome, []).append(report)
        seconds = max(one.stop for *_, one in found) - min(one.start for *_, one in found)
        busy = sum(one.duration for *_, one in found)
        yield f"{part:<12} {seconds:5.0f} s {busy:5.0f} s  {count(by_outcome)}"
