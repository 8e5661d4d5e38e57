"""The cost of one write path, computed from what was measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles
from uuid import UUID, uuid4

from batching_demo.comparison.postgres_counts import Counters
from batching_demo.comparison.temporal_counts import TemporalCounts
from batching_demo.contracts.names import WritePath
from batching_demo.main_service.summary import SliceResult, Summary


@dataclass(frozen=True)
class PathResult:
    """One column of the comparison."""

    write_path: str
    run_label: str
    records: int
    written: int
    duplicate: int
    conflict: int
    rejected: int
    batches: int
    rows_per_batch: float
    commits: int
    wal_bytes: int
    seconds: float
    """From the first start to the last verdict, without the tail."""
    records_per_second: float
    verdict_p50_seconds: float
    """From submission to verdict, over main workflows or requests."""
    verdict_p95_seconds: float
    history_events_per_record: float
    """Main workflows and batchers together."""
    main_events_per_record: float
    batcher_events_per_record: float
    actions_per_record: float
    """That Temporal Cloud bills, of main workflows or requests, and of batchers."""
    tail_records: int
    """Records of a last partial batch, which waits for its linger."""
    tail_seconds: float
    updated: int = 0
    stale: int = 0


@dataclass(frozen=True)
class Measured:
    """All readings of one run on one path."""

    path: str
    run_label: str
    summary: Summary
    outcomes: Sequence[SliceResult]
    batches: dict[UUID, int]
    """Rows of each batch, in the order they were written."""
    max_records: int
    cost: Counters
    main_counts: TemporalCounts
    """Per main workflow or request."""
    batcher_counts: TemporalCounts


def batches_of(outcomes: Sequence[SliceResult]) -> dict[UUID, int]:
    """Return the rows of each batch, in the order of the answers, as far as results tell.

    A table of the user's own has no batch ids. If a workflow has had its records in several
    batches, they are taken to be spread evenly. Without a batch each record is one.
    """
    rows: dict[UUID, int] = {}
    for outcome in sorted(outcomes, key=lambda one: one.finished_at):
        ids = [UUID(batch) for batch in outcome.result.batch_ids]
        ids = ids or [uuid4() for _ in range(outcome.records)]
        for place, batch in enumerate(ids):
            share = outcome.records * (place + 1) // len(ids) - outcome.records * place // len(ids)
            rows[batch] = rows.get(batch, 0) + share
    return rows


def path_result(measured: Measured) -> PathResult:
    """Compute the cost of a run from its readings, much of it per record."""
    summary, tail = measured.summary, _tail(measured)
    records = max(1, summary.read)
    main = measured.main_counts * ((summary.workflows or summary.requests) / records)
    batcher = measured.batcher_counts * (1 / records)
    verdict_seconds = [outcome.result.verdict_seconds for outcome in measured.outcomes]
    rows = sum(measured.batches.values())
    return PathResult(
        write_path=str(measured.path),
        run_label=measured.run_label,
        records=summary.read,
        written=summary.written,
        duplicate=summary.duplicate,
        conflict=summary.conflict,
        rejected=summary.rejected,
        updated=summary.updated,
        stale=summary.stale,
        batches=len(measured.batches),
        rows_per_batch=round(rows / max(1, len(measured.batches)), 1),
        commits=measured.cost.commits,
        wal_bytes=measured.cost.wal_bytes,
        seconds=round(tail.starts_after, 3),
        records_per_second=round((summary.read - tail.records) / tail.starts_after, 1),
        verdict_p50_seconds=round(percentile(verdict_seconds, 50), 3),
        verdict_p95_seconds=round(percentile(verdict_seconds, 95), 3),
        history_events_per_record=round(main.events + batcher.events, 2),
        main_events_per_record=round(main.events, 2),
        batcher_events_per_record=round(batcher.events, 2),
        actions_per_record=round(main.actions + batcher.actions, 2),
        tail_records=tail.records,
        tail_seconds=round(summary.seconds - tail.starts_after, 3),
    )


@dataclass(frozen=True)
class _Tail:
    records: int
    starts_after: float
    """Seconds."""


def _tail(measured: Measured) -> _Tail:
    """Find the last batch, if it is a partial one that came after others."""
    outcomes, whole = measured.outcomes, _Tail(0, max(1e-9, measured.summary.seconds))
    if measured.path == WritePath.UNBATCHED or len(measured.batches) < 2:
        return whole
    last, rows = list(measured.batches.items())[-1]
    if rows >= measured.max_records:
        return whole
    before = [one.finished_at for one in outcomes if str(last) not in one.result.batch_ids]
    return _Tail(rows, max(before)) if before else whole


def percentile(values: Sequence[float], percent: int) -> float:
    """Interpolate a percentile. Of one value it is that value, of none 0."""
    if len(values) < 2:
        return sum(values)
    return quantiles(values, n=100, method="inclusive")[percent - 1]
