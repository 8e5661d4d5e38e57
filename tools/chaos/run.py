"""One run: start, load and inject faults, recover, check."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from temporalio.client import Client

from batching_demo.database.engine import create_engine
from batching_demo.database.migrations import migrate
from batching_demo.devstack.system import System, system_directory
from batching_demo.main_service.files.inspect import inspect
from batching_demo.main_service.files.slice import slices
from batching_demo.operator.start import start_batchers
from tools.chaos.checks import Check, check, read_tables
from tools.chaos.faults import inject
from tools.chaos.load import OPTIONS, SHARDS, gather, send
from tools.chaos.records import KEY, write_input
from tools.chaos.schedule import Fault

HEALING_SECONDS = 180.0


@dataclass(frozen=True)
class RunResult:
    """The result of a run."""

    faults: Sequence[Fault]
    records: int
    checks: Sequence[Check]
    failures: Sequence[str]

    @property
    def holds(self) -> bool:
        """Whether every check holds."""
        return all(check.holds for check in self.checks)


async def run(
    faults: Sequence[Fault], seconds: float, records: int, seed: int, report: Callable[[str], None]
) -> RunResult:
    """Start servers and workers, run the schedule against them and stop them."""
    with system_directory("chaos") as directory:
        system = System(directory)
        try:
            report("starting servers and workers")
            await asyncio.to_thread(system.start_servers)
            await migrate(system.postgres.url, application_name="batching-demo chaos")
            await asyncio.to_thread(system.start_workers)
            return await _run(system, faults, seconds, records, seed, report)
        finally:
            await asyncio.to_thread(system.stop)


async def _run(
    system: System,
    faults: Sequence[Fault],
    seconds: float,
    records: int,
    seed: int,
    report: Callable[[str], None],
) -> RunResult:
    path = system.directory / "records.ndjson"
    expected = write_input(path, records, seed)
    source = inspect(path, key_columns=[KEY]).source
    planned = list(slices(source, OPTIONS.records_per_workflow))
    client = await Client.connect(system.temporal.address)
    await start_batchers(client, SHARDS, OPTIONS.settings)
    await asyncio.gather(
        send(client, source, planned, seconds),
        inject(system, client, faults, lambda fault: report(f"{fault.at:6.1f} s  {fault.kind}")),
    )
    report(f"healing, for at most {HEALING_SECONDS:.0f} s")
    await asyncio.to_thread(system.start_servers)
    await asyncio.to_thread(system.start_workers)
    results = await gather(client, source, planned, HEALING_SECONDS)
    engine = create_engine(system.postgres.url, application_name="batching-demo chaos")
    tables = await read_tables(engine)
    await engine.dispose()
    return RunResult(
        faults,
        expected.records,
        check(expected, results, tables, len(planned), system.died_by_themselves),
        results.failed,
    )
