"""What the end of a test run says."""

from typing import Literal

import pytest

from tests.support.parts import count, describe


def report(
    nodeid: str, start: float, outcome: Literal["passed", "failed", "skipped"] = "passed"
) -> pytest.TestReport:
    return pytest.TestReport(
        nodeid, ("", 0, ""), {}, outcome, None, "call", start=start, stop=start + 2
    )


REPORTS: dict[str, list[object]] = {
    "passed": [report("tests/unit/test_a.py::test_a", 1), report("tests/faults/test_b.py::b", 9)],
    "error": [report("tests/unit/test_a.py::test_b", 5, "failed")],
    "failed": [report("tests/unit/test_a.py::test_c", 3, "failed")],
    "skipped": [report("tests/unit/test_a.py::test_d", 0, "skipped")],
    "warnings": ["a warning"],
}


def test_an_error_counts_as_failed() -> None:
    assert count(REPORTS) == "2 passed, 2 failed, 1 skipped"


def test_nothing_skipped_is_not_mentioned() -> None:
    assert count({"passed": ["one"]}) == "1 passed, 0 failed"


def test_each_part_has_a_line_with_its_time_from_first_to_last() -> None:
    assert list(describe(REPORTS)) == [
        "unit           7 s  1 passed, 2 failed, 1 skipped",
        "faults         2 s  1 passed, 0 failed",
    ]
