"""The part of a run that is about one target: its input, its requesters, its table, its checks."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from batching_demo.contracts.names import DIRECT, WritePath
from batching_demo.contracts.targets import RECORDS_TARGET
from tools.chaos.checks import Check, check, check_ids, read_tables, without_receipts
from tools.chaos.direct import DirectLoad
from tools.chaos.load import Load, Results
from tools.chaos.own_table import IS_CHOSEN, OWN_KEY, PLAIN, own_table, read_ids
from tools.chaos.own_workflow import OwnLoad
from tools.chaos.records import Expected, write_input
from tools.chaos.trigger import Trigger

AnyLoad = Load | DirectLoad | OwnLoad


@dataclass
class Part:
    """What goes to one target."""

    target: str
    expected: Expected = field(default_factory=Expected)
    loads: list[AnyLoad] = field(default_factory=list)
    results: Results = field(default_factory=Results)

    @property
    def is_own(self) -> bool:
        """Whether the target is one of `own_table.py`."""
        return self.target != RECORDS_TARGET

    @property
    def table(self) -> str:
        """The table of the target."""
        return own_table(self.target) if self.is_own else "records"

    def write_inputs(
        self, directory: Path, write_paths: Sequence[str], records: int, seed: int
    ) -> None:
        """Write an input for each write path, with an equal share of the records."""
        for number, write_path in enumerate(write_paths):
            path = directory / f"{self.target}-{write_path}.ndjson"
            numbers = range(number, records, len(write_paths))
            write_input(path, numbers, seed, self.expected)
            self.loads.append(self._load(path, write_path))

    def trigger(self, engine: AsyncEngine) -> Trigger:
        """Return the trigger of the table."""
        return Trigger(engine, self.table, IS_CHOSEN) if self.is_own else Trigger(engine)

    async def gather(self, client: Client, within: float) -> None:
        """Wait for every workflow and request, one load after the other."""
        for load in self.loads:
            await load.gather(client, self.results, within)

    async def check(self, engine: AsyncEngine, workers_died: int) -> list[Check]:
        """Compare what was submitted with the verdicts and with the tables."""
        key = OWN_KEY if self.is_own else "idempotency_key"
        tables = await read_tables(engine, self.target, self.table, key)
        number = sum(map(len, self.loads))
        checks = check(self.expected, self.results, tables, number, workers_died)
        if not self.is_own:
            return checks
        if self.target == PLAIN:
            checks = without_receipts(checks)
        checks += check_ids(self.results, await read_ids(engine, self.target))
        return [replace(one, name=f"{self.target}: {one.name}") for one in checks]

    def _load(self, path: Path, write_path: str) -> AnyLoad:
        if write_path == DIRECT:
            return DirectLoad.of(path, self.target)
        if self.is_own:
            return OwnLoad.of(path, self.target, WritePath(write_path))
        return Load.of(path, WritePath(write_path))
