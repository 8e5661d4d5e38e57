"""One run: start, load and inject faults, recover, check."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from sqlalchemy.engine import make_url
from temporalio.client import Client

from batching_demo.contracts.targets import RECORDS_TARGET
from batching_demo.database.engine import create_transactional_engine
from batching_demo.database.schema.migrations import migrate
from batching_demo.devstack.workers import coalescing_by
from batching_demo.operator.start import start_batchers
from batching_demo.settings import TARGETS
from tools.chaos.checks import Check
from tools.chaos.direct import DirectLoad
from tools.chaos.faults import Injector
from tools.chaos.load import OPTIONS, SHARDS
from tools.chaos.own_table import create_own_tables, write_targets
from tools.chaos.own_workflow import own_worker
from tools.chaos.part import Part
from tools.chaos.proxy import Proxy
from tools.chaos.schedule import Fault
from tools.system import System, system_directory

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
    """For each target."""
    seed: int
    write_paths: Sequence[str]
    """Each gets an equal share of the records. Repeats of a key are on another path, if there are
    several."""
    targets: Sequence[str] = (RECORDS_TARGET,)
    """Where records go: to the built-in table, or to those of `own_table.py`."""
    within: float | None = None
    """Seconds after the last fault in which all requests must be answered, if that is checked."""

    @property
    def has_own(self) -> bool:
        """Whether records go to a table of `own_table.py`."""
        return any(target != RECORDS_TARGET for target in self.targets)


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
            if plan.has_own:
                await _prepare_own_tables(system)
            await asyncio.to_thread(system.start_workers)
            return await _run(plan, system, proxy, report)
        finally:
            await asyncio.to_thread(system.stop)
            await proxy.stop()


async def _prepare_own_tables(system: System) -> None:
    """Create the own tables, and declare them to the batcher workers."""
    engine = create_transactional_engine(system.postgres.url, application_name=APPLICATION)
    await create_own_tables(engine)
    await engine.dispose()
    path = system.directory / "targets.toml"
    write_targets(path)
    system.settings = {**system.settings, TARGETS: str(path)}


async def _run(
    plan: RunPlan, system: System, proxy: Proxy, report: Callable[[str], None]
) -> RunResult:
    client = await Client.connect(system.temporal.address)
    engine = create_transactional_engine(system.postgres.url, application_name=APPLICATION)
    parts = [Part(target) for target in plan.targets]
    for part in parts:
        part.write_inputs(system.directory, plan.write_paths, plan.records, plan.seed)
    triggers = [part.trigger(engine) for part in parts]
    for trigger in triggers:
        await trigger.create()
    await start_batchers(client, SHARDS, OPTIONS.settings)
    injector = Injector(system, client, proxy, engine, triggers, [part.table for part in parts])
    loads = [load for part in parts for load in part.loads]
    async with own_worker(client, system.valkey.url) if plan.has_own else nullcontext():
        await asyncio.gather(
            *(load.send(client, plan.seconds) for load in loads),
            injector.run(plan.faults, lambda fault: report(f"{fault.at:6.1f} s  {fault.kind}")),
        )
        report(f"healing, for at most {HEALING_SECONDS:.0f} s")
        await asyncio.gather(*(part.gather(client, HEALING_SECONDS) for part in parts))
    checks = [one for part in parts for one in await part.check(engine, system.died_by_themselves)]
    await engine.dispose()
    if plan.within is not None:
        answered_at = max(load.answered_at for load in loads if isinstance(load, DirectLoad))
        seconds = answered_at - injector.last_at
        report(f"the last request was answered {seconds:.1f} s after the last fault")
        name = f"requests are answered within {plan.within:g} s of the last fault"
        checks.append(Check(name, True, seconds <= plan.within))
    return RunResult(plan, checks, [line for part in parts for line in part.results.failed])


def _at_port(url: str, port: int) -> str:
    return make_url(url).set(port=port).render_as_string(hide_password=False)
