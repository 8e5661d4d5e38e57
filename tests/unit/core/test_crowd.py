"""What one of a crowd costs does not grow with the crowd: all may come in one workflow task."""

import time

from batching_demo.core.admission import LARGEST_BUFFER_BYTES, LONGEST_BACKLOG, Admission

CROWD = 5_000


def cpu_seconds(buffered: int, waiting: int) -> float:
    """Measure how long a crowd of strangers asks in one moment, with so many before them."""
    admission = Admission()
    for number in range(waiting):
        admission.ask(f"before {number}", 1_000, LARGEST_BUFFER_BYTES, 0.0)
    began = time.process_time()
    for number in range(CROWD):
        admission.ask(str(number), 1_000, buffered, 1.0)
    return time.process_time() - began


def test_who_finds_a_long_backlog_is_told_as_fast_as_who_is_admitted() -> None:
    """Of equals: going through the backlog for each one takes hundreds of times as long."""
    admitted = min(cpu_seconds(0, 0) for _ in range(3))
    turned_away = min(cpu_seconds(LARGEST_BUFFER_BYTES, LONGEST_BACKLOG) for _ in range(3))
    assert turned_away < 30 * admitted
