"""Look at what is told to the meter of a worker."""

from temporalio.runtime import MetricBuffer, Runtime, TelemetryConfig

from batching_demo.batcher_service.metrics import WorkerMetrics


class Seen:
    """All that was told to a meter, in order."""

    def __init__(self) -> None:
        self._buffer = MetricBuffer(10_000)
        self._runtime = Runtime(telemetry=TelemetryConfig(metrics=self._buffer))
        self._seen: list[tuple[str, dict[str, object], float]] = []
        self.metrics = WorkerMetrics(self._runtime.metric_meter)

    def values(self, name: str, **labels: object) -> list[float]:
        self._seen += [
            (update.metric.name, dict(update.attributes), update.value)
            for update in self._buffer.retrieve_updates()
        ]
        return [
            value
            for found, having, value in self._seen
            if found == name and labels.items() <= having.items()
        ]
