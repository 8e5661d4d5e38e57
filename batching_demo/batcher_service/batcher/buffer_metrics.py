"""The metrics of a batcher workflow.

Its meter is replay-aware, so that nothing counts twice. Gauges of a workflow stay on a worker that
it has left: `show` adds the moment of each reading, by which monitoring/alerts.yml picks the worker
that has it now.
"""

from temporalio.common import MetricMeter

BUFFER_RECORDS = "batching_buffer_records"
BUFFER_BYTES = "batching_buffer_bytes"
OLDEST_RECEIVED = "batching_buffer_oldest_received_timestamp_seconds"
LINGER = "batching_linger_seconds"
SHOWN = "batching_buffer_shown_timestamp_seconds"
CONTINUED_AS_NEW = "batching_continued_as_new"


class BufferMetrics:
    """What waits in one batcher, and why its runs end."""

    def __init__(self, meter: MetricMeter, shard: int) -> None:
        meter = meter.with_additional_attributes({"shard": shard})
        self._records = meter.create_gauge(BUFFER_RECORDS, "Records that wait.")
        self._bytes = meter.create_gauge(BUFFER_BYTES, "Encoded bytes that wait.")
        self._oldest = meter.create_gauge_float(
            OLDEST_RECEIVED, "When the oldest record that waits was received; 0 if none waits."
        )
        self._linger = meter.create_gauge_float(LINGER, "How long the oldest record may wait.")
        self._shown = meter.create_gauge_float(SHOWN, "When the buffer's gauges were set.")
        self._continued = meter.create_counter(CONTINUED_AS_NEW, "Runs that ended, by cause.")

    def show(
        self, records: int, size: int, oldest_at: float | None, linger_seconds: float, now: float
    ) -> None:
        """Show how many records and bytes wait, since when, how long they may, and as of when."""
        self._records.set(records)
        self._bytes.set(size)
        self._oldest.set(oldest_at or 0.0)
        self._linger.set(linger_seconds)
        self._shown.set(now)

    def continued_as_new(self, cause: str) -> None:
        """Count a run that goes on where another one ended.

        Not when one ends: the server refuses that while signals come, and it is tried again.
        """
        self._continued.add(1, {"cause": cause})
