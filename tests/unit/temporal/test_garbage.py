"""Closed workflow runs are cycles of old objects; a worker must not keep minutes' worth of them."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from batching_demo.temporal.running import collect_closed_runs_soon


class Run:
    """Refers to itself, as an instance with its own tasks does."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


def old_run() -> weakref.ref[Run]:
    """Leave a closed run that has outlived many collections."""
    run = Run()
    for _ in range(3):
        gc.collect()
    return weakref.ref(run)


def test_an_old_run_is_collected_soon() -> None:
    collect_closed_runs_soon()
    run = old_run()
    assert run() is not None
    work = [[n] for n in range(20_000)]
    assert run() is None, len(work)
