"""The request that a call of the benchmark makes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from batching_demo.main_service.files.inspect import inspect
from tools.benchmark.harness.flights import SERIAL, write_flights
from tools.benchmark.parts.growth import Load
from tools.benchmark.parts.paths import ONE_BY_ONE


@dataclass(frozen=True)
class Request:
    """What to measure, and how often."""

    parts: Sequence[str]
    rounds: int
    singles: int
    """Main workflows in a cell where each has few records."""
    slices: int
    """Main workflows in a cell where each has many records."""
    records_per_workflow: Sequence[int]
    sizes: Sequence[int]
    milliseconds: Sequence[int]
    lingers: Sequence[float]
    messages: int
    """On a stream when its consumers begin."""
    arrival_seconds: float
    """How long single records come at a constant rate."""
    input_path: Path | None
    key_columns: tuple[str, ...]

    def workflows(self, sizes: Sequence[int]) -> dict[int, int]:
        """Return the number of main workflows in a cell, by records per workflow."""
        return {
            each: self.singles if each in ONE_BY_ONE else self.slices
            for each in self.records_per_workflow
            if each in sizes
        }

    def loads(self, directory: Path) -> list[Load]:
        """Write the input files of `growth` to a directory."""
        loads = []
        for size in self.sizes:
            path = directory / f"flights-{size}.csv"
            if self.input_path is None:
                write_flights(path, size)
                loads.append(Load(path, size, (SERIAL,), 200))
                continue
            with self.input_path.open("rb") as whole, path.open("wb") as head:
                head.writelines(line for _, line in zip(range(size + 1), whole, strict=False))
            records = inspect(path, key_columns=list(self.key_columns)).records
            loads.append(Load(path, records, self.key_columns, 200))
        return loads
