"""What a batcher answers to those who ask for its status."""

from batching_demo.batcher_service.batcher.carried import State
from batching_demo.contracts.operations import BatcherStatus


def status_of(shard: int, state: State) -> BatcherStatus:
    """Return what waits, what is in flight, and what has been done."""
    flusher = state.flusher
    buffer, control, health = flusher.buffer, flusher.control, flusher.health
    return BatcherStatus(
        shard=shard,
        mode=control.mode,
        mode_since=control.since,
        settings=buffer.settings,
        buffered_records=buffer.records,
        buffered_bytes=buffer.bytes,
        oldest_at=buffer.oldest_at,
        in_flight=len(flusher.in_flight),
        in_flight_records=sum(batch.header.records for batch in flusher.in_flight),
        backlog=len(state.admission),
        consecutive_failures=health.failures,
        last_error=health.last_error,
        totals=state.totals,
    )
