"""A comparison as a table with a column for every write path."""

from collections.abc import Callable, Sequence

from rich.table import Table

from batching_demo.comparison.postgres_counts import VIEWS
from batching_demo.comparison.results import PathResult

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
)
PROBLEM_ROWS: Sequence[tuple[str, Cell]] = (
    ("duplicate", lambda path: str(path.duplicate)),
    ("conflict", lambda path: str(path.conflict)),
    ("rejected", lambda path: str(path.rejected)),
)
TAIL_ROW: tuple[str, Cell] = (
    "tail, waits for its linger",
    lambda path: f"{path.tail_records} in {path.tail_seconds:.1f} s",
)


def comparison_table(results: Sequence[PathResult]) -> Table:
    """Build the table, without rows that are empty on every path."""
    made = Table(title="The same records on each write path", caption=f"From {VIEWS}")
    made.add_column("")
    for path in results:
        made.add_column(path.write_path, justify="right")
    for name, cell in _rows(results):
        made.add_row(name, *(cell(path) for path in results))
    return made


def _rows(results: Sequence[PathResult]) -> list[tuple[str, Cell]]:
    rows = list(ROWS)
    if any(path.duplicate + path.conflict + path.rejected for path in results):
        rows += PROBLEM_ROWS
    if any(path.tail_records for path in results):
        rows.append(TAIL_ROW)
    return rows
