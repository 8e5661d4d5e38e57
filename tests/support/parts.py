"""The parts of the test suite: their order, and what became of each."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import pytest

FAST_FIRST = ("unit", "deployment", "replay", "workflow", "integration", "faults", "end_to_end")
"""The longest test is a fault, and no processor may idle until it ends."""
COUNTED_AS = {"passed": "passed", "failed": "failed", "error": "failed", "skipped": "skipped"}
"""What pytest calls the end of a test, and what the summary counts it as."""

Reports = Mapping[str, Sequence[object]]
"""What pytest reported, by what it calls that."""


def part_of(nodeid: str) -> str:
    """Return the folder of tests/ that a test is in."""
    return nodeid.removeprefix("tests/").partition("/")[0]


def fast_first(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Put the tests of fast parts first, and leave those of a part as they were."""
    order = {part: position for position, part in enumerate(FAST_FIRST)}
    return sorted(items, key=lambda item: order.get(part_of(item.nodeid), len(order)))


def count(reports: Reports) -> str:
    """Count tests as the last line of a run does: `5 passed, 0 failed, 1 skipped`."""
    counted = Counter[str](passed=0, failed=0)
    for outcome, result in COUNTED_AS.items():
        if found := len(reports.get(outcome, ())):
            counted[result] += found
    return ", ".join(f"{number} {result}" for result, number in counted.items())


def describe(reports: Reports) -> Iterator[str]:
    """Describe each part: how long it took from its first test to its last, and its counts."""
    by_part: dict[str, dict[str, list[pytest.TestReport]]] = {}
    for outcome, found in reports.items():
        for report in found:
            if isinstance(report, pytest.TestReport):
                part = by_part.setdefault(part_of(report.nodeid), {})
                part.setdefault(outcome, []).append(report)
    for name, part in by_part.items():
        tests = [report for found in part.values() for report in found]
        seconds = max(test.stop for test in tests) - min(test.start for test in tests)
        yield f"{name:<12}{seconds:4.0f} s  {count(part)}"
