"""Workflows that write records, as adopters have them. PYTEST_DONT_REWRITE"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from temporalio import workflow

from batching_demo import BatcherSettings, Record, RecordResult, Requester, WritePath


@dataclass
class Job:
    """What to write, and how."""

    records: list[Record]
    settings: BatcherSettings = field(default_factory=lambda: BatcherSettings(linger_seconds=0.2))
    write_path: WritePath = WritePath.BATCHED
    deadline_seconds: float | None = None
    next: list[Record] = field(default_factory=list)
    """To be written later, or in another run."""
    target: str = "records"


def requester(job: Job) -> Requester:
    return Requester(job.settings, write_path=job.write_path)


def verdicts(results: list[RecordResult]) -> dict[str, str]:
    return {result.key: result.verdict for result in results}


@workflow.defn
class WriteOnce:
    @workflow.run
    async def run(self, job: Job) -> list[RecordResult]:
        return await requester(job).write(
            job.records, target=job.target, deadline_seconds=job.deadline_seconds
        )


@workflow.defn
class WriteAtOnce:
    """Two requesters, made in `init` and in `run`, and a call for every record."""

    @workflow.init
    def __init__(self, job: Job) -> None:
        self.first = requester(job)

    @workflow.run
    async def run(self, job: Job) -> dict[str, str]:
        requesters = (self.first, requester(job))
        writes = (
            requesters[number % 2].write([record]) for number, record in enumerate(job.records)
        )
        return verdicts([result for results in await asyncio.gather(*writes) for result in results])


@workflow.defn
class WriteWhileWriting:
    """Begins a write while another one waits, and returns the details that remain after both."""

    @workflow.run
    async def run(self, job: Job) -> str:
        workflow.set_current_details("its own")
        first = asyncio.create_task(requester(job).write(job.records))
        await workflow.wait_condition(lambda: workflow.get_current_details() != "its own")
        await requester(job).write(job.next)
        await first
        return workflow.get_current_details()


@workflow.defn
class WriteInTwoRuns:
    @workflow.run
    async def run(self, job: Job) -> dict[str, str]:
        results = await requester(job).write(job.records)
        if job.next:
            workflow.continue_as_new(Job(job.next, job.settings))
        return verdicts(results)


@workflow.defn
class WriteTwice:
    """Has signals of its own, named as a requester's once were; the second write waits for them."""

    @workflow.init
    def __init__(self, job: Job) -> None:
        self.requester = requester(job)
        self.told: set[str] = set()

    @workflow.signal
    def verdicts(self, name: str) -> None:
        self.told.add(name)

    @workflow.signal
    def busy(self, name: str) -> None:
        self.told.add(name)

    @workflow.run
    async def run(self, job: Job) -> dict[str, str]:
        results = await self.requester.write(job.records)
        await workflow.wait_condition(lambda: self.told == {"verdicts", "busy"})
        return verdicts(results + await self.requester.write(job.next))


@workflow.defn
class WriteMuch:
    """Makes its records itself: they do not fit into the input of a workflow."""

    @workflow.run
    async def run(self, calls: int, records: int, characters: int) -> dict[str, int]:
        random = workflow.random()
        made = [
            Record(f"k{number}", {"text": random.randbytes(characters // 2).hex()})
            for number in range(calls * records)
        ]
        # A batcher would turn most of them away.
        written = Requester(write_path=WritePath.COALESCED).write
        writes = (written(made[call::calls]) for call in range(calls))
        results = [result for results in await asyncio.gather(*writes) for result in results]
        assert {result.key for result in results} == {record.key for record in made}
        assert len(results) == len(made)
        return dict(Counter(str(result.verdict) for result in results))


@workflow.defn
class WriteNumberedKey:
    @workflow.run
    async def run(self, key: int) -> None:
        await Requester().write([Record(key, {})])  # type: ignore[arg-type]  # a mistake of a user


WRITERS = (
    WriteOnce,
    WriteAtOnce,
    WriteWhileWriting,
    WriteInTwoRuns,
    WriteTwice,
    WriteMuch,
    WriteNumberedKey,
)
