"""What a run takes from the user, from running batchers and from the defaults."""

from hypothesis import given
from hypothesis import strategies as st

from batching_demo.cli.submitting.running_batchers import (
    BatcherOptions,
    Batchers,
    choose,
    differences,
)
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.operator.shards import Described

RECORDS = st.integers(1, 10_000)
SECONDS = st.floats(0, 1_000)
GIVEN = st.builds(
    BatcherOptions, st.none() | RECORDS, st.none() | st.integers(1, 9), st.none() | SECONDS
)
SETTINGS = st.builds(BatcherSettings, max_records=RECORDS, linger_seconds=SECONDS)
RUNNING = st.dictionaries(st.integers(0, 8), SETTINGS, max_size=3).map(
    lambda settings: [running(shard, one) for shard, one in sorted(settings.items())]
)


def running(shard: int, settings: BatcherSettings) -> Described:
    return Described(shard, "run", history_events=5, task_attempts=0, settings=settings)


def test_without_batchers_the_defaults_are_those_of_their_start() -> None:
    assert choose(BatcherOptions(), []) == Batchers(BatcherSettings(), 1)
    assert list(differences(BatcherOptions(7, 3, 5.0), [])) == []


def test_of_different_batchers_the_smallest_batch_and_the_longest_linger_count() -> None:
    found = [running(0, BatcherSettings(50, linger_seconds=2)), running(3, BatcherSettings(200))]
    assert choose(BatcherOptions(), found) == Batchers(BatcherSettings(50, linger_seconds=20.0), 4)


def test_each_difference_is_named_once_with_the_first_batcher_that_has_it() -> None:
    found = [running(0, BatcherSettings(50)), running(1, BatcherSettings()), running(2, SLOW)]
    given_options = BatcherOptions(max_records=50, shards=4, linger_seconds=5)
    assert list(differences(given_options, found)) == [
        "batcher-0 lingers 20 s, not 5",
        "batcher-1 takes 100 records a batch, not 50",
        "batchers run for --shards 3, not 4",
    ]


SLOW = BatcherSettings(linger_seconds=60)


@given(GIVEN, RUNNING)
def test_what_the_user_says_counts_and_only_that_is_compared(
    said: BatcherOptions, found: list[Described]
) -> None:
    batchers = choose(said, found)
    settings = batchers.settings
    assert said.max_records in (None, settings.max_records)
    assert said.shards in (None, batchers.shards)
    assert said.linger_seconds in (None, settings.linger_seconds)
    assert list(differences(BatcherOptions(), found)) == []
    same = BatcherOptions(settings.max_records, 1, settings.linger_seconds)
    assert list(differences(same, [running(0, settings)])) == []
