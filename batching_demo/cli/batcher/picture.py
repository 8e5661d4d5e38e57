"""What `batcher status --watch` draws of each batcher, and its line where there is no terminal."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from batching_demo.contracts.counts import count
from batching_demo.contracts.names import batcher_workflow_id
from batching_demo.contracts.operations import BatcherStatus, Flush
from batching_demo.operator.status import Overview, age, mode

RATE_SECONDS = 10.0
WIDTH = 58
"""Characters of a panel. Two of them stand side by side in 120."""
BAR_WIDTH = 20
LINES_WITHOUT_FLUSHES = 7
FLUSH_COLUMNS = ("last flushes", "reason", "records", "bytes", "write, s")


class Rates:
    """Records a second that a batcher gave verdicts to, measured from one look to a later one."""

    def __init__(self) -> None:
        self._looks: dict[int, deque[tuple[float, int]]] = {}

    def add(self, found: Overview, now: float) -> float | None:
        """Add a look, and return the rate over the last seconds; None until it can be known."""
        if found.status is None:
            return None
        done = sum(found.status.totals.verdicts.values())
        looks = self._looks.setdefault(found.shard, deque())
        if looks and done < looks[-1][1]:
            looks.clear()  # The batcher was started anew, and counts from 0.
        looks.append((now, done))
        while len(looks) > 2 and looks[1][0] <= now - RATE_SECONDS:
            looks.popleft()
        (since, before), seconds = looks[0], now - looks[0][0]
        return (done - before) / seconds if since < now else None


Rated = Sequence[tuple[Overview, float | None]]
"""Batchers, each with its rate."""


def picture(batchers: Rated, now: float, height: int) -> RenderableType:
    """Draw all batchers; in a low terminal with fewer of the last flushes.

    Args:
        batchers: Those to draw.
        now: Seconds since the epoch.
        height: Lines of the terminal.
    """
    flushes = max(0, height // max(1, len(batchers)) - LINES_WITHOUT_FLUSHES - 1)
    panels = [_panel(one, rate, now, flushes) for one, rate in batchers]
    return Group(Columns(panels), *(Text(line, style="red") for line in _errors(batchers)))


def lines(batchers: Rated, now: float) -> Iterator[str]:
    """Yield the same as a line for each batcher, with its errors below."""
    for one, rate in batchers:
        yield f"{batcher_workflow_id(one.shard)}: {', '.join(_parts(one, rate, now))}"
    yield from _errors(batchers)


def _parts(found: Overview, rate: float | None, now: float) -> Iterator[str]:
    yield mode(found, now)
    if status := found.status:
        yield from (f"{name} {reading}" for name, _, _, reading in _fill(status, now))
        yield f"{count(status.in_flight, 'batch')} in flight"
        if rate is not None:
            yield _per_second(rate)
        for flush in status.totals.last_flushes[-1:]:
            size = f"{count(flush.records, 'record')}, {count(flush.bytes, 'byte')}"
            yield f"last flush {age(now - flush.at)} ago by {flush.reason}: {size}"


def _errors(batchers: Rated) -> Iterator[str]:
    for found, _ in batchers:
        if found.described and found.wrong:
            yield found.wrong
        if found.status and found.status.last_error:
            yield f"{batcher_workflow_id(found.shard)}: {found.status.last_error}"


def _panel(found: Overview, rate: float | None, now: float, flushes: int) -> Panel:
    status = found.status
    return Panel(
        Group(*_rows(status, now, flushes)) if status else Text(""),
        title=f"{batcher_workflow_id(found.shard)}: {mode(found, now)}",
        title_align="left",
        subtitle="" if rate is None else _per_second(rate),
        subtitle_align="right",
        width=WIDTH,
    )


def _rows(status: BatcherStatus, now: float, flushes: int) -> Iterator[RenderableType]:
    yield _table(
        (name, ProgressBar(limit or 1, value, BAR_WIDTH), reading)
        for name, value, limit, reading in _fill(status, now)
    )
    in_flight = f"{count(status.in_flight, 'batch')} of {status.settings.max_in_flight}"
    records = count(status.in_flight_records, "record")
    yield Text(f"in flight  {in_flight}, {records}; {status.backlog:,} in the backlog")
    shown = status.totals.last_flushes[::-1][:flushes]
    if shown:
        yield _table([FLUSH_COLUMNS, *(_cells(flush, now) for flush in shown)])


def _fill(status: BatcherStatus, now: float) -> Iterator[tuple[str, float, float, str]]:
    """Yield each limit of the buffer: its name, the value, the limit, and both as text."""
    settings = status.settings
    waited = max(0.0, now - status.oldest_at) if status.oldest_at else 0.0
    yield _limit("records", status.buffered_records, settings.max_records)
    yield _limit("bytes", status.buffered_bytes, settings.max_bytes)
    yield (
        *("age", waited, settings.linger_seconds),
        f"{waited:,.1f} of {settings.linger_seconds:,g} s",
    )


def _limit(name: str, value: int, limit: int) -> tuple[str, float, float, str]:
    return name, value, limit, f"{value:,} of {limit:,}"


def _cells(flush: Flush, now: float) -> tuple[str, ...]:
    written = f"{age(now - flush.at)} ago"
    return written, flush.reason, f"{flush.records:,}", f"{flush.bytes:,}", f"{flush.seconds:.2f}"


def _table(rows: Iterable[Sequence[RenderableType]]) -> Table:
    made = Table.grid(padding=(0, 2, 0, 0))
    for row in rows:
        made.add_row(*row)
    return made


def _per_second(rate: float) -> str:
    return f"{rate:,.1f} records/s"
