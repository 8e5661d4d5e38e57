"""The cost of a write path, computed from readings."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batching_demo.comparison.postgres_counts import Counters
from batching_demo.comparison.report.paths import comparison_section
from batching_demo.comparison.results import Measured, PathResult, path_result, percentile
from batching_demo.comparison.temporal_counts import TemporalCounts
from batching_demo.contracts.names import WritePath
from batching_demo.main_service.messages import MainResult
from batching_demo.main_service.summary import SliceResult, Summary

FULL, LAST = UUID(int=1), UUID(int=2)


def finished(after: float, *batches: UUID, waited: float = 0.5) -> SliceResult:
    result = MainResult(verdict_seconds=waited, batch_ids=[str(one) for one in batches])
    return SliceResult("main", 1, result, after)


def measured(
    outcomes: Sequence[SliceResult],
    batches: dict[UUID, int],
    path: WritePath = WritePath.BATCHED,
    seconds: float = 10.0,
) -> Measured:
    records = sum(batches.values())
    return Measured(
        path=path,
        run_label="label",
        summary=Summary(read=records, written=records, workflows=len(outcomes), seconds=seconds),
        outcomes=outcomes,
        batches=batches,
        max_records=10,
        cost=Counters(commits=4, wal_bytes=5_000, inserted=records),
        main_counts=TemporalCounts(events=12, actions=3),
        batcher_counts=TemporalCounts(events=30, actions=10),
    )


def test_a_partial_last_batch_is_kept_out_of_the_rate() -> None:
    outcomes = [finished(2.0, FULL), finished(4.0, FULL), finished(10.0, LAST)]
    result = path_result(measured(outcomes, {FULL: 10, LAST: 5}))
    assert (result.tail_records, result.tail_seconds, result.seconds) == (5, 6.0, 4.0)
    assert result.records_per_second == 2.5
    assert (result.batches, result.rows_per_batch) == (2, 7.5)


def test_a_workflow_with_records_in_the_last_batch_belongs_to_the_tail() -> None:
    outcomes = [finished(2.0, FULL), finished(9.9, FULL, LAST)]
    assert path_result(measured(outcomes, {FULL: 10, LAST: 5})).seconds == 2.0


@pytest.mark.parametrize(
    ("path", "batches"),
    [
        (WritePath.BATCHED, {FULL: 10, LAST: 10}),
        (WritePath.BATCHED, {LAST: 5}),
        (WritePath.COALESCED, {}),
        (WritePath.UNBATCHED, {FULL: 1, LAST: 1}),
    ],
)
def test_full_batches_single_batches_and_single_rows_have_no_tail(
    path: WritePath, batches: dict[UUID, int]
) -> None:
    result = path_result(measured([finished(2.0, FULL), finished(9.0, LAST)], batches, path))
    assert (result.tail_records, result.tail_seconds, result.seconds) == (0, 0.0, 10.0)


def test_events_and_actions_are_counted_by_the_record() -> None:
    outcomes = [finished(1.0, FULL), finished(2.0, FULL)]
    result = path_result(measured(outcomes, {FULL: 10}))
    assert result.main_events_per_record == 2.4
    assert result.batcher_events_per_record == 3.0
    assert result.history_events_per_record == 5.4
    assert result.actions_per_record == 1.6
    assert (result.commits, result.wal_bytes, result.written) == (4, 5_000, 10)


def test_nothing_at_all_divides_by_nothing() -> None:
    result = path_result(measured([], {}, seconds=0.0))
    assert (result.records, result.records_per_second, result.verdict_p95_seconds) == (0, 0.0, 0)


def test_verdict_times_are_those_of_workflows() -> None:
    outcomes = [finished(1.0, FULL, waited=float(seconds)) for seconds in range(101)]
    result = path_result(measured(outcomes, {FULL: 10}))
    assert (result.verdict_p50_seconds, result.verdict_p95_seconds) == (50.0, 95.0)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.integers(1, 99))
def test_a_percentile_lies_within_its_values(values: list[float], percent: int) -> None:
    found = percentile(values, percent)
    _, nearest, _ = sorted((min(values), found, max(values)))
    assert found == pytest.approx(nearest)  # interpolation may miss by its last digit
    assert percentile(sorted(values, reverse=True), percent) == found


def names(*results: PathResult) -> list[str]:
    (table,) = comparison_section(results).tables
    return [row[0] for row in table.rows]


def test_the_table_leaves_out_rows_that_no_path_has() -> None:
    result = path_result(measured([finished(1.0, FULL)], {FULL: 10}))
    assert not {"duplicate", "tail, waits for its linger"} & set(names(result))
    assert "conflict" in names(result, replace(result, conflict=1))
    assert names(result, replace(result, tail_records=3))[-1] == "tail, waits for its linger"
    (table,) = comparison_section([result, replace(result, records=1_234)]).tables
    assert table.columns == ["", "batched", "batched"]
    assert table.rows[0] == ["records", "10", "1,234"]
