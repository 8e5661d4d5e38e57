"""A comparison as a table with a column for every write path, and as charts."""

from collections.abc import Callable, Sequence

from batching_demo.comparison.compare import Comparison
from batching_demo.comparison.postgres_counts import VIEWS
from batching_demo.comparison.report.sections import Chart, Section, Table
from batching_demo.comparison.results import PathResult
from batching_demo.contracts.counts import count
from batching_demo.contracts.names import DIRECT

Cell = Callable[[PathResult], str]

ROWS: Sequence[tuple[str, Cell]] = (
    ("records", lambda path: f"{path.records:,}"),
    ("batches", lambda path: f"{path.batches:,}"),
    ("rows per batch", lambda path: f"{path.rows_per_batch:,.1f}"),
    ("commits", lambda path: f"{path.commits:,}"),
    ("WAL bytes", lambda path: f"{path.wal_bytes:,}"),
    ("seconds", lambda path: f"{path.seconds:.1f}"),
    ("records per second", lambda path: f"{path.records_per_second:,.1f}"),
    ("submit to verdict, p50 s", lambda path: f"{path.verdict_p50_seconds:.2f}"),
    ("submit to verdict, p95 s", lambda path: f"{path.verdict_p95_seconds:.2f}"),
    ("events per record, main", lambda path: f"{path.main_events_per_record:.2f}"),
    ("events per record, batcher", lambda path: f"{path.batcher_events_per_record:.2f}"),
    ("events per record, both", lambda path: f"{path.history_events_per_record:.2f}"),
    ("billable actions per record", lambda path: f"{path.actions_per_record:.2f}"),
)
PROBLEM_ROWS: Sequence[tuple[str, Cell]] = (
    ("duplicate", lambda path: str(path.duplicate)),
    ("conflict", lambda path: str(path.conflict)),
    ("rejected", lambda path: str(path.rejected)),
)
UPDATE_ROWS: Sequence[tuple[str, Cell]] = (
    ("updated", lambda path: str(path.updated)),
    ("stale", lambda path: str(path.stale)),
)
TAIL_ROW: tuple[str, Cell] = (
    "tail, waits for its linger",
    lambda path: f"{path.tail_records} in {path.tail_seconds:.1f} s",
)


def comparison_section(results: Sequence[PathResult]) -> Section:
    """Return the table, without rows that are empty on every path, and charts of it."""
    paths = [path.write_path for path in results]
    table = Table(
        "The same records on each write path",
        ["", *paths],
        [[name, *(cell(path) for path in results)] for name, cell in _rows(results)],
        f"From {VIEWS}",
    )
    latency = {
        "p50": [path.verdict_p50_seconds for path in results],
        "p95": [path.verdict_p95_seconds for path in results],
    }
    return Section(
        "comparison",
        [table],
        [
            Chart("commits", "Commits", "", paths, {"": [path.commits for path in results]}),
            Chart("latency", "From submission to verdict", "s", paths, latency),
        ],
    )


def describe(comparison: Comparison) -> str:
    """Return a sentence that names what was compared."""
    settings = comparison.settings
    rate = settings.max_writes_per_second
    budget = f" a write budget of {rate:g} a second," if rate else ""
    per = "workflow" if DIRECT not in comparison.paths else "workflow or request"
    return (
        f"{count(comparison.records, 'record')} of {comparison.source.name} on each path,"
        f" {comparison.records_per_workflow:,} per {per}, in batches of at most"
        f" {count(settings.max_records, 'record')}; linger {settings.linger_seconds:g} s,{budget}"
        f" {count(comparison.shards, 'shard')}."
    )


def _rows(results: Sequence[PathResult]) -> list[tuple[str, Cell]]:
    rows = list(ROWS)
    if any(path.duplicate + path.conflict + path.rejected for path in results):
        rows += PROBLEM_ROWS
    if any(path.updated + path.stale for path in results):
        rows += UPDATE_ROWS
    if any(path.tail_records for path in results):
        rows.append(TAIL_ROW)
    return rows
