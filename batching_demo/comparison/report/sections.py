"""The result of a part of the benchmark, independent of how it is shown."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Table:
    """Rows of text under a title."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    note: str = ""


@dataclass(frozen=True)
class Chart:
    """Groups of bars: each label has one bar of each series."""

    name: str
    title: str
    unit: str
    labels: list[str]
    series: dict[str, list[float]]
    is_logarithmic: bool = False


@dataclass(frozen=True)
class Section:
    """The result of one part of the benchmark."""

    name: str
    tables: list[Table]
    charts: list[Chart] = field(default_factory=list)
