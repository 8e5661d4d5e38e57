"""The metrics of a worker of the batcher service, on the meter of its process."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from temporalio.client import Client
from temporalio.common import MetricMeter
from temporalio.runtime import Runtime

from batching_demo.contracts.batches import BatchHeader, BatchResult
from batching_demo.contracts.errors import UserError
from batching_demo.contracts.messages import shown_verdicts
from batching_demo.contracts.names import BUSY_ANSWERS, WritePath

FLUSHES = "batching_flushes"
BATCH_RECORDS = "batching_batch_records"
BATCH_BYTES = "batching_batch_bytes"
RECORD_WAIT = "batching_record_wait_seconds"
WRITE_SECONDS = "batching_write_seconds"
RECORDS = "batching_records"
BISECT_STATEMENTS = "batching_bisect_statements"
CONFIRMATIONS = "batching_confirmations"

DATABASE_UP = "batching_database_up"
DEAD_LETTERS = "batching_dead_letters"
POOL_CONNECTIONS = "batching_pool_connections_in_use"

BUCKETS: Mapping[str, tuple[float, ...]] = {
    BATCH_RECORDS: (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000),
    BATCH_BYTES: tuple(float(2**power) for power in range(10, 21)),
    RECORD_WAIT: (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1_800, 3_600),
    WRITE_SECONDS: (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
}


@dataclass
class Flush:
    """A flush that is under way."""

    has_failed: bool = False


def meter_of(client: Client) -> MetricMeter:
    """Return the meter of a client's runtime, for its namespace."""
    runtime = client.service_client.config.runtime or Runtime.default()
    return runtime.metric_meter.with_additional_attributes({"namespace": client.namespace})


class WorkerMetrics:
    """The metrics of one worker of the batcher service."""

    def __init__(self, meter: MetricMeter) -> None:
        self._flushes = meter.create_counter(FLUSHES, "Attempts to write a batch, ended.")
        self._batch_records = meter.create_histogram(BATCH_RECORDS, "Records of written batches.")
        self._batch_bytes = meter.create_histogram(
            BATCH_BYTES, "Encoded bytes of the records of written batches."
        )
        self._wait = meter.create_histogram_float(
            RECORD_WAIT, "From received to committed, of the oldest record of each batch."
        )
        self._seconds = meter.create_histogram_float(
            WRITE_SECONDS, "How long writes took, by outcome."
        )
        self._records = meter.create_counter(RECORDS, "Records decided.")
        self._bisects = meter.create_counter(
            BISECT_STATEMENTS, "Statements that isolated bad records."
        )
        self._confirmations = meter.create_counter(CONFIRMATIONS, "Signals with verdicts.")
        self._busy = meter.create_counter(BUSY_ANSWERS, "Submissions answered busy.")
        self._up = meter.create_gauge(DATABASE_UP, "1 if the database answered when last asked.")
        self._letters = meter.create_gauge(DEAD_LETTERS, "Dead letters in the table.")
        self._connections = meter.create_gauge(POOL_CONNECTIONS, "Connections that write.")

    @classmethod
    def of(cls, client: Client) -> "WorkerMetrics":
        """Return metrics on a client's runtime; without an endpoint they do nothing."""
        return cls(meter_of(client))

    @contextmanager
    def measured(self, shard: int | None, path: WritePath, target: str) -> Iterator[None]:
        """Measure the write of the records of one target."""
        labels = _labels(shard, path) | {"target": target}
        started, outcome = time.monotonic(), "cancelled"
        try:
            yield
            outcome = "written"
            self.show_database(True)
        except Exception as error:
            outcome = "failed"
            if isinstance(error, UserError) and error.is_outage:
                self.show_database(False)
            raise
        finally:
            self._seconds.record(time.monotonic() - started, labels | {"outcome": outcome})

    @contextmanager
    def flushed(self, batch: BatchHeader, path: WritePath) -> Iterator["Flush"]:
        """Count a flush, by how the writes of its batch end."""
        labels = _labels(batch.shard, path) | {"reason": batch.reason}
        flush, outcome = Flush(), "cancelled"
        try:
            yield flush
            outcome = "failed" if flush.has_failed else "written"
        except Exception:
            outcome = "failed"
            raise
        finally:
            self._flushes.add(1, labels | {"outcome": outcome})

    def batch_written(self, batch: BatchHeader, path: WritePath, now: float) -> None:
        """Measure a written batch, and how long its oldest record had waited."""
        labels = _labels(batch.shard, path)
        self._batch_records.record(batch.records, labels)
        self._batch_bytes.record(sum(one.length for one in batch.submissions), labels)
        if batch.oldest_at:
            self._wait.record(max(0.0, now - batch.oldest_at), labels)

    def decided(
        self, shard: int | None, path: WritePath, target: str, result: BatchResult, bisects: int
    ) -> None:
        """Count the records of one target by verdict."""
        labels = _labels(shard, path) | {"target": target}
        self._bisects.add(bisects, labels)
        for verdict, number in shown_verdicts(asdict(result)).items():
            self._records.add(number, labels | {"verdict": verdict})

    def confirmed(self, results: Mapping[str, int]) -> None:
        """Count signals with verdicts by their result."""
        for result, number in results.items():
            self._confirmations.add(number, {"result": result})

    def answered_busy(self, shard: int, submissions: int) -> None:
        """Count submissions that were answered busy."""
        self._busy.add(submissions, {"shard": shard})

    def show_database(self, is_up: bool) -> None:
        """Show whether the database answered."""
        self._up.set(int(is_up))

    def dead_letters(self, by_state: Mapping[str, int]) -> None:
        """Show how many dead letters there are."""
        for state, number in by_state.items():
            self._letters.set(number, {"state": state})

    def connections_in_use(self, number: int) -> None:
        """Show how many connections are taken."""
        self._connections.set(number)


def _labels(shard: int | None, path: WritePath) -> dict[str, str | int | float | bool]:
    labels: dict[str, str | int | float | bool] = {"write_path": path.value}
    return labels if shard is None else labels | {"shard": shard}
