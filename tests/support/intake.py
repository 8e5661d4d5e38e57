"""Run consumers of streams in the test's own process."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.runtime import Runtime

from batching_demo.batcher_service.coalescer import Write
from batching_demo.batcher_service.metrics import WorkerMetrics
from batching_demo.batcher_service.queues.consumer import Consumer
from batching_demo.batcher_service.queues.intake import Intake
from batching_demo.batcher_service.queues.redis_streams.source import StreamSource
from batching_demo.batcher_service.queues.writer import IntakeWriter
from batching_demo.contracts.batches import BatchHeader
from batching_demo.contracts.messages import Submission, Verdicts
from batching_demo.contracts.operations import BatcherSettings
from batching_demo.database.targets.registry import Targets
from batching_demo.queue_servers.stream_address import StreamAddress
from tests.support.queues import deliveries, length, source_of
from tests.support.waiting import eventually, in_time

QUICK = BatcherSettings(linger_seconds=0.05)


class Run:
    """A consumer that runs, and the verdicts of what it has written."""

    def __init__(
        self,
        engine: AsyncEngine,
        source: StreamSource,
        settings: BatcherSettings,
        intake: Intake,
        targets: Targets,
    ) -> None:
        self.source = source
        self.codes = ""
        self.batches: list[int] = []
        """The number of records of each batch."""
        self.stop = asyncio.Event()
        metrics = WorkerMetrics(Runtime.default().metric_meter)
        writer = IntakeWriter(engine, targets, metrics, intake, settings.max_in_flight)
        self.write: Write = writer.write
        """May be replaced."""
        consumer = Consumer(
            source, settings, intake.submissions_of, self._write, writer.probe, max_deliveries=5
        )
        self.ending = asyncio.create_task(consumer.run(self.stop))

    async def _write(self, batch: BatchHeader, submissions: Sequence[Submission]) -> list[Verdicts]:
        answers = await self.write(batch, submissions)
        self.batches.append(len(submissions))
        self.codes += "".join(answer.codes for answer in answers)
        return answers


@asynccontextmanager
async def consuming(
    engine: AsyncEngine,
    stream: StreamAddress,
    settings: BatcherSettings = QUICK,
    intake: Intake | None = None,
    targets: Targets | None = None,
    **options: Any,
) -> AsyncIterator[Run]:
    """Consume a stream meanwhile, and stop in the end."""
    async with source_of(stream, **options) as source:
        run = Run(engine, source, settings, intake or Intake(), targets or Targets())
        try:
            yield run
        finally:
            run.stop.set()
            await in_time(run.ending)


async def expect_empty(stream: StreamAddress) -> None:
    """Wait until nothing is on a stream, or pending."""

    async def check() -> None:
        assert (await length(stream), await deliveries(stream)) == (0, {})

    await eventually(check)


async def expect_pending(stream: StreamAddress, number: int) -> None:
    """Wait until so many entries are pending, each delivered once."""

    async def check() -> None:
        assert list((await deliveries(stream)).values()) == [1] * number

    await eventually(check)
