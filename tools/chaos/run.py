"""One run: start, load and inject faults, recover, check."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.engine import make_url
from temporalio.client import Client

from batching_demo.contracts.names import DIRECT, WritePath
from batching_demo.database.engine import create_transactional_engine
from batching_demo.database.schema.migrations import migrate
from batching_demo.devstack.system import System, system_directory
from batching_demo.devstack.workers import coalescing_by
from batching_demo.operator.start import start_batchers
from tools.chaos.checks import Check, check, read_tables
from tools.chaos.direct import DirectLoad
from tools.chaos.faults import Injector
from tools.chaos.load import OPTIONS, SHARDS, Load, Results
from tools.chaos.proxy import Proxy
from tools.chaos.records import Expected, write_input
from tools.chaos.schedule import Fault
from tools.chaos.trigger import Trigger

HEALING_SECONDS = 900.0
"""A requester whose batcher was terminated again and again submits after 10 minutes at most."""
APPLICATION = "batching-demo chaos"


@dataclass(frozen=True)
class RunPlan:
    """What a run does."""

    faults: Sequence[Fault]
    seconds: float
    """How long main workflows are started."""
    records: int
    seed: int
    write_paths: Sequence[str]
    """Each gets an equal share of the records. Repeats of a key are on another path, if there are
    several."""
    within: float | None = None
    """Seconds after the last fault in which all requests must be answered, if that is checked."""


@dataclass(frozen=True)
class RunResult:
    """The result of a run."""

    plan: RunPlan
    checks: Sequence[Check]
    failures: Sequence[str]

    @property
    def holds(self) -> bool:
        """Whether every check holds."""
        return all(check.holds for check in self.checks)


async def run(plan: RunPlan, report: Callable[[str], None]) -> RunResult:
    """Start servers and workers, run the schedule against them and stop them."""
    with system_directory("chaos") as directory:
        system = System(directory, queue=True)
        proxy = Proxy(system.postgres.port)
        try:
            report("starting servers and workers")
            await asyncio.to_thread(system.start_servers)
            await migrate(system.postgres.url, application_name=APPLICATION)
            url = _at_port(system.postgres.url, await proxy.start())
            system.settings = {**coalescing_by(OPTIONS.settings), "DATABASE_URL": url}
            await asyncio.to_thread(system.start_workers)
            return await _run(plan, system, proxy, report)
        finally:
            await asyncio.to_thread(system.stop)
            await proxy.stop()


async def _run(
    plan: RunPlan, system: System, proxy: Proxy, report: Callable[[str], None]
) -> RunResult:
    expected, loads = _write_inputs(plan, system)
    client = await Client.connect(system.temporal.address)
    engine = create_transactional_engine(system.postgres.url, application_name=APPLICATION)
    trigger = Trigger(engine)
    await trigger.create()
    await start_batchers(client, SHARDS, OPTIONS.settings)
    injector = Injector(system, client, proxy, engine, trigger)
    await asyncio.gather(
        *(load.send(client, plan.seconds) for load in loads),
        injector.run(plan.faults, lambda fault: report(f"{fault.at:6.1f} s  {fault.kind}")),
    )
    report(f"healing, for at most {HEALING_SECONDS:.0f} s")
    results = Results()
    await asyncio.gather(*(load.gather(client, results, HEALING_SECONDS) for load in loads))
    tables = await read_tables(engine)
    await engine.dispose()
    total = sum(map(len, loads))
    checks = check(expected, results, tables, total, system.died_by_themselves)
    if plan.within is not None:
        answered_at = max(load.answered_at for load in loads if isinstance(load, DirectLoad))
        seconds = answered_at - injector.last_at
        report(f"the last request was answered {seconds:.1f} s after the last fault")
        name = f"requests are answered within {plan.within:g} s of the last fault"
        checks.append(Check(name, True, seconds <= plan.within))
    return RunResult(plan, checks, results.failed)


def _write_inputs(plan: RunPlan, system: System) -> tuple[Expected, list[Load | DirectLoad]]:
    expected = Expected()
    loads: list[Load | DirectLoad] = []
    for number, write_path in enumerate(plan.write_paths):
        path = system.directory / f"{write_path}.ndjson"
        numbers = range(number, plan.records, len(plan.write_paths))
        write_input(path, numbers, plan.seed, expected)
        is_direct = write_path == DIRECT
        loads.append(DirectLoad.of(path) if is_direct else Load.of(path, WritePath(write_path)))
    return expected, loads


def _at_port(url: str, port: int) -> str:
    return make_url(url).set(port=port).render_as_string(hide_password=False)
